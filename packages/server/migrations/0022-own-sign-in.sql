-- Signing in to an MCP server with the application's own login page, instead of here.

-- A browser was sent to that page and is awaited back. One for each pending authorization: another round replaces it.
create table partner_logins (
  environment_id text not null,
  id text not null,                            -- lri_ and digits: login_request_id, what the application names the sign-in by
  login_request_id text not null,              -- the pending authorization, which knows the browser
  connection_id text not null,
  state_hash bytea not null,                   -- SHA-256 of the 256-bit state that has to come back
  details jsonb,                               -- who signed in, as the application's backend said; absent: not said yet
  failed boolean not null default false,       -- the application says that nobody signed in
  created_at timestamptz not null,
  expires_at timestamptz not null,
  completed_at timestamptz,                    -- came back: nothing changes any more
  primary key (environment_id, id),
  constraint partner_logins_connection foreign key (environment_id, connection_id) references connections (environment_id, id) on delete cascade
);
create unique index partner_logins_of_a_request on partner_logins (environment_id, login_request_id);
create index partner_logins_of_a_connection on partner_logins (environment_id, connection_id);
create index partner_logins_expired on partner_logins (expires_at);

-- People whom an application's own login vouches for. They are people of their own: the same address here means nothing there.
create table partner_people (
  environment_id text not null,
  connection_id text not null,
  subject text not null,                       -- the application's own name for the person: ext_sub in tokens
  user_id text not null,
  claims jsonb not null default '{}',          -- for access tokens: roles, groups, xoid and attributes, as of the last sign-in
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, connection_id, subject),
  constraint partner_people_connection foreign key (environment_id, connection_id) references connections (environment_id, id) on delete cascade,
  constraint partner_people_user foreign key (environment_id, user_id) references users (environment_id, id) on delete cascade
);
create unique index partner_people_by_user on partner_people (environment_id, user_id);

alter table sessions add column connection_id text; -- the connection a person signed in through: good for its MCP server alone; absent: signed in here
