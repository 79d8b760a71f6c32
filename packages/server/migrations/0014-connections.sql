-- Connections: how people sign in. Those of an organization lead to its identity provider; those of the environment are for
-- everybody. With them the domains of organizations.

create table connections (
  environment_id text not null references environments (id),
  id text not null,                            -- conn_ and digits
  organization_id text,                        -- absent: a connection of the environment
  type text not null check (type in ('OIDC', 'SAML', 'OAUTH', 'PASSWORDLESS', 'WEBAUTHN', 'TRUSTED_IDP')),
  provider text not null,                      -- a name of the contract's list, CUSTOM for all others
  provider_key text not null,                  -- the same, or what a custom provider is called
  key_id text,                                 -- the application's own name for it
  enabled boolean not null default false,
  status text not null check (status in ('DRAFT', 'IN_PROGRESS', 'COMPLETED')), -- follows from the configuration, see sso/connection-status.ts
  debug_enabled boolean not null default false, -- the identity provider may be reached over http
  ui_button_title text not null default '',
  configuration_type text check (configuration_type in ('DISCOVERY', 'MANUAL')),
  attribute_mapping jsonb not null default '{}', -- our name of a member to the identity provider's, at most 30
  settings jsonb not null default '{}',        -- what the type needs, without secrets
  client_secret bytea,                         -- ours at the identity provider, encrypted
  created_at timestamptz not null,
  updated_at timestamptz not null,
  row_version bigint not null default 1,
  primary key (environment_id, id),
  unique (environment_id, organization_id, id), -- the connections of one organization, and what connection_domains refers to
  constraint connections_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade,
  check (not enabled or status = 'COMPLETED')
);
create unique index connections_by_key_id on connections (environment_id, key_id, coalesce(organization_id, '')) where key_id is not null;
create index connections_in_use on connections (environment_id, id) where enabled and status = 'COMPLETED';
create index connections_of_organizations on connections (environment_id, id) where organization_id is not null;
-- What a search may ask for and few connections have.
create index connections_by_provider on connections (environment_id, provider, id) where organization_id is not null;
create index connections_by_provider_key on connections (environment_id, provider_key, id) where organization_id is not null;
create index connections_by_status on connections (environment_id, status, id) where organization_id is not null;

create table domains (
  environment_id text not null references environments (id),
  id text not null,                            -- dom_ and digits
  organization_id text not null,
  domain text not null,                        -- lower case, A-labels, no final dot
  domain_type text not null check (domain_type in ('ALLOWED_EMAIL_DOMAIN', 'ORGANIZATION_DOMAIN')),
  verification_method text not null check (verification_method in ('ADMIN', 'DNS', 'NOT_APPLICABLE')),
  verification_status text not null check (verification_status in ('PENDING', 'VERIFIED', 'FAILED', 'AUTO_VERIFIED')),
  txt_record_key text not null default '',     -- label of the TXT record, before the domain
  txt_record_secret text not null default '',  -- what the record has to say; published by whoever owns the domain
  created_at timestamptz not null,
  updated_at timestamptz not null,
  verified_at timestamptz,                     -- when DNS last said so
  primary key (environment_id, id),
  unique (environment_id, organization_id, id), -- the domains of one organization, and what connection_domains refers to
  constraint domains_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade
);
-- A domain leads to one organization. Claims that wait for their proof keep nobody from proving his own.
create unique index domains_of_organizations on domains (environment_id, domain) where domain_type = 'ORGANIZATION_DOMAIN' and verification_status in ('VERIFIED', 'AUTO_VERIFIED');
-- By name first: to whom an organization may suggest itself. An organization has a domain once of each type.
create unique index domains_claimed on domains (environment_id, domain, organization_id, domain_type);

-- Which domains a connection is for; one without any is for all of its organization's.
create table connection_domains (
  environment_id text not null,
  organization_id text not null,               -- of both
  connection_id text not null,
  domain_id text not null,
  primary key (environment_id, connection_id, domain_id),
  foreign key (environment_id, organization_id, connection_id) references connections (environment_id, organization_id, id) on delete cascade,
  foreign key (environment_id, organization_id, domain_id) references domains (environment_id, organization_id, id) on delete cascade
);
create index connection_domains_of_a_domain on connection_domains (environment_id, domain_id);
create index connection_domains_of_an_organization on connection_domains (environment_id, organization_id, connection_id);

-- Sign-ins that only try a connection out: nobody is signed in by them.
create table connection_test_requests (
  environment_id text not null,
  id text not null,                            -- test_ and digits
  connection_id text not null,
  status text not null default 'PENDING' check (status in ('PENDING', 'SUCCESS', 'FAILURE')),
  user_info jsonb,                             -- what the identity provider said of the person
  error text,                                  -- code of the error catalogue
  error_description text,
  error_details text,
  created_at timestamptz not null,
  completed_at timestamptz,
  primary key (environment_id, id),
  foreign key (environment_id, connection_id) references connections (environment_id, id) on delete cascade
);
create index connection_test_requests_of_a_connection on connection_test_requests (environment_id, connection_id, id);

-- Notes that pages about a connection keep between visits, of each organization its own.
create table connection_contexts (
  environment_id text not null,
  connection_id text not null,
  organization_id text,                        -- absent: of the environment
  context jsonb not null,
  updated_at timestamptz not null,
  foreign key (environment_id, connection_id) references connections (environment_id, id) on delete cascade,
  foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade
);
create unique index connection_contexts_once on connection_contexts (environment_id, connection_id, coalesce(organization_id, ''));
create index connection_contexts_of_an_organization on connection_contexts (environment_id, organization_id) where organization_id is not null;

-- An MCP server whose people sign in with the customer's own login page has a connection of the environment for it.
alter table mcp_servers add column connection_id text; -- absent: people sign in here
alter table mcp_servers add constraint mcp_servers_connection foreign key (environment_id, connection_id) references connections (environment_id, id);
create unique index mcp_servers_by_connection on mcp_servers (environment_id, connection_id) where connection_id is not null;

-- Applications are few, clients of MCP servers many: whose pages may show ours is asked without a token.
create index clients_of_applications on clients (environment_id, id) where kind in ('environment', 'application') and deleted_at is null;
