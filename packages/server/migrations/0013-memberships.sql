-- What applications know of people, which organizations people belong to, with which roles, and the invitations to them.

alter table users add column external_id text;                   -- the application's own name for the person
alter table users add column metadata jsonb not null default '{}'; -- at most twenty pairs of text
alter table users add column given_name text not null default '';
alter table users add column family_name text not null default '';
alter table users add column phone_number text not null default '';
alter table users add column phone_number_verified boolean not null default false;
alter table users add column picture text not null default '';
alter table users add column gender text not null default '';
alter table users add column locale text not null default '';
alter table users add column preferred_username text not null default '';
alter table users add column groups text[] not null default '{}';
alter table users add column custom_attributes jsonb not null default '{}';
alter table users add column profile_metadata jsonb not null default '{}';
-- What a search looks through. Generated, so that nothing that writes a person can forget it; the expression is there twice,
-- as one generated column cannot be made of another.
alter table users add column search_text text generated always as (lower(email_key || E'\n' || id || E'\n' || coalesce(external_id, ''))) stored;
alter table users add column search_parts text[] generated always as (trigrams(lower(email_key || E'\n' || id || E'\n' || coalesce(external_id, '')))) stored;
create unique index users_by_external_id on users (environment_id, external_id) where external_id is not null;
create index users_by_trigrams on users using gin (search_parts);

-- A session is the person's: it goes with them.
alter table sessions drop constraint sessions_environment_id_user_id_fkey;
alter table sessions add constraint sessions_user foreign key (environment_id, user_id) references users (environment_id, id) on delete cascade;

-- One person in one organization.
create table memberships (
  environment_id text not null,
  organization_id text not null,
  user_id text not null,
  status text not null check (status in ('ACTIVE', 'INACTIVE', 'PENDING_INVITE')), -- answers say INVITE_EXPIRED of a pending one whose invitation is over
  metadata jsonb not null default '{}',        -- at most twenty pairs of text
  provisioning_method text not null,           -- how the person came in: api, invitation, sign-up, sso, directory …
  created_at timestamptz not null,
  updated_at timestamptz not null,
  accepted_at timestamptz,                     -- since when the person belongs to it
  primary key (environment_id, organization_id, user_id),
  constraint memberships_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade,
  constraint memberships_user foreign key (environment_id, user_id) references users (environment_id, id) on delete cascade
);
create index memberships_of_a_user on memberships (environment_id, user_id, organization_id);

-- The roles of a member: the organization's own or the environment's. A role that somebody has cannot be deleted, whatever races.
create table membership_roles (
  environment_id text not null,
  organization_id text not null,
  user_id text not null,
  role_id text not null,
  primary key (environment_id, organization_id, user_id, role_id),
  -- Beside the membership's own: when an organization is deleted, its roles are looked at before memberships have taken these along.
  constraint membership_roles_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade,
  constraint membership_roles_membership foreign key (environment_id, organization_id, user_id) references memberships (environment_id, organization_id, user_id) on delete cascade,
  constraint membership_roles_role foreign key (environment_id, role_id) references roles (environment_id, id)
);
create index membership_roles_of_a_role on membership_roles (environment_id, role_id, organization_id, user_id);

-- The invitation of a membership; it stays when it was accepted, so that its link can say so.
create table invitations (
  environment_id text not null,
  organization_id text not null,
  user_id text not null,
  inviter_email text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  resent_at timestamptz,
  resent_count integer not null default 0,
  accepted_at timestamptz,
  primary key (environment_id, organization_id, user_id),
  constraint invitations_membership foreign key (environment_id, organization_id, user_id) references memberships (environment_id, organization_id, user_id) on delete cascade
);

-- The links that were mailed: a reminder has one of its own and leaves the earlier ones as they are.
create table invitation_links (
  environment_id text not null,
  token_hash bytea not null,                   -- SHA-256 of the link's 256-bit token
  organization_id text not null,
  user_id text not null,
  created_at timestamptz not null,
  primary key (environment_id, token_hash),
  constraint invitation_links_invitation foreign key (environment_id, organization_id, user_id) references invitations (environment_id, organization_id, user_id) on delete cascade
);
create index invitation_links_of_an_invitation on invitation_links (environment_id, organization_id, user_id);

-- People who were deleted, until the log has forgotten who they were: the events about them lose their data as soon as nobody waits
-- for a delivery. What stays is the id, which means nothing without its row.
create table deleted_users (
  environment_id text not null,
  user_id text not null,
  deleted_at timestamptz not null,
  looked_at timestamptz not null,              -- those that wait for deliveries let the others go first
  primary key (environment_id, user_id)
);
create index deleted_users_in_turn on deleted_users (looked_at);
create index events_of_a_user on events (environment_id, user_id, id) where user_id is not null;
