-- Machine clients of organizations, applications of the environment in lists of their own, and API keys.

-- A machine of one customer: its tokens name the organization. It ends with the organization, and its secrets with it.
alter table clients drop constraint clients_kind_check;
alter table clients add constraint clients_kind_check check (kind in ('environment', 'application', 'mcp', 'organization'));
alter table clients add constraint clients_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade;
alter table clients add constraint clients_organization_given check ((kind = 'organization') = (organization_id is not null));
alter table client_secrets drop constraint client_secrets_environment_id_client_id_fkey;
alter table client_secrets add constraint client_secrets_client foreign key (environment_id, client_id) references clients (environment_id, id) on delete cascade;

-- Lists, newest first. Tombstones are in neither.
create index clients_of_an_organization on clients (environment_id, organization_id, id) where organization_id is not null and deleted_at is null;
create index clients_of_the_environment on clients (environment_id, id) where kind in ('environment', 'application') and deleted_at is null;
-- A deleted organization takes tombstones too.
create index clients_by_organization on clients (environment_id, organization_id) where organization_id is not null;

-- Whose tokens are for an address, however its letters are written: that address is free for no MCP server.
create index clients_by_audience on clients using gin ((lower(settings ->> 'audience')::jsonb)) where kind = 'organization' and deleted_at is null and settings ? 'audience';

-- Which request a browser is deciding on, where no URL says so.
create index login_requests_of_a_browser on login_requests (environment_id, browser_hash, created_at) where ended_at is null and decision is null;

-- Keys for the application's own API. The key itself is shown once and never stored.
create table api_keys (
  environment_id text not null references environments (id),
  id text not null,                            -- apit_ and digits
  organization_id text not null,
  user_id text,                                -- absent: the organization's own key
  key_hash bytea not null,                     -- SHA-256: keys are 256 bits of chance
  suffix text not null,                        -- last four characters, for people
  description text not null default '',
  custom_claims jsonb not null default '{}',   -- at most twenty pairs of text
  created_at timestamptz not null,
  updated_at timestamptz not null,
  expires_at timestamptz,                      -- absent: never
  revoked_at timestamptz,                      -- kept, so that a second revocation is none
  last_used_at timestamptz,                    -- noted at most once an hour
  primary key (environment_id, id),
  constraint api_keys_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade,
  constraint api_keys_member foreign key (environment_id, organization_id, user_id) references memberships (environment_id, organization_id, user_id) on delete cascade -- whoever leaves, leaves no key behind
);
create unique index api_keys_by_hash on api_keys (environment_id, key_hash);
create index api_keys_of_an_organization on api_keys (environment_id, organization_id, id) where revoked_at is null;
create index api_keys_of_a_member on api_keys (environment_id, organization_id, user_id, id);
