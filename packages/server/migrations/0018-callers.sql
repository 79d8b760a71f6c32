-- Who calls the management API besides clients: operators, and the administration portals of organizations.

-- The people who run an environment. There is always an owner once there was one.
create table operators (
  environment_id text not null references environments (id),
  id text not null,                            -- mem_ and digits
  email text not null,                         -- as typed first
  email_key text not null,                     -- lower case: what is compared
  role text not null check (role in ('owner', 'admin', 'viewer')),
  first_name text not null default '',
  last_name text not null default '',
  metadata jsonb not null default '{}',        -- at most twenty pairs of text
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id)
);
create unique index operators_by_email on operators (environment_id, email_key);

-- An operator who is signed in. The cookie's value is stored only as a hash. What the operator may do is read from the
-- operator's row with each call.
create table operator_sessions (
  environment_id text not null,
  id text not null,                            -- ops_ and digits
  token_hash bytea not null,                   -- SHA-256 of 256 random bits
  operator_id text not null,
  created_at timestamptz not null,
  last_active_at timestamptz not null,
  idle_expires_at timestamptz not null,
  absolute_expires_at timestamptz not null,
  ended_at timestamptz,
  address text,
  user_agent text,
  primary key (environment_id, id),
  constraint operator_sessions_operator foreign key (environment_id, operator_id) references operators (environment_id, id) on delete cascade
);
create unique index operator_sessions_by_token on operator_sessions (environment_id, token_hash);
create index operator_sessions_of_an_operator on operator_sessions (environment_id, operator_id);
create index operator_sessions_expired on operator_sessions (absolute_expires_at);

-- Links to the administration portal of an organization. Each opens it once; the update of opened_at is the gate.
create table portal_links (
  environment_id text not null,
  id text not null,                            -- lnk_ and digits
  organization_id text not null,
  key_hash bytea not null,                     -- SHA-256 of the random UUID in the address
  features text[] not null,                    -- what can be set up with it; empty: whatever the organization has
  created_at timestamptz not null,
  expires_at timestamptz not null,
  opened_at timestamptz,
  primary key (environment_id, id),
  constraint portal_links_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade
);
create unique index portal_links_by_key on portal_links (environment_id, key_hash);
create index portal_links_of_an_organization on portal_links (environment_id, organization_id, id);
create index portal_links_expired on portal_links (expires_at);

-- A browser in which a portal link was opened. Deleting the link ends it.
create table portal_sessions (
  environment_id text not null,
  id text not null,                            -- pts_ and digits
  token_hash bytea not null,                   -- SHA-256 of 256 random bits
  link_id text not null,
  organization_id text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,             -- absolute
  ended_at timestamptz,
  address text,
  user_agent text,
  primary key (environment_id, id),
  constraint portal_sessions_link foreign key (environment_id, link_id) references portal_links (environment_id, id) on delete cascade,
  constraint portal_sessions_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade
);
create unique index portal_sessions_by_token on portal_sessions (environment_id, token_hash);
create index portal_sessions_of_a_link on portal_sessions (environment_id, link_id);
create index portal_sessions_of_an_organization on portal_sessions (environment_id, organization_id);
create index portal_sessions_expired on portal_sessions (expires_at);
