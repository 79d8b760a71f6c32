-- MCP servers as protected resources, the permissions that are their scopes, and OAuth clients.

create table permissions (
  environment_id text not null references environments (id),
  id text not null,                            -- perm_ and digits
  name text not null,
  description text not null default '',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id)
);
create unique index permissions_by_name on permissions (environment_id, name);

create table mcp_servers (
  environment_id text not null references environments (id),
  id text not null unique,                     -- RID: res_ and digits, never used again
  name text not null,
  description text not null default '',
  logo_uri text,
  server_url text,                             -- S, byte for byte as typed; absent: audience is the id alone
  server_url_key text,                         -- S as compared: lower-case scheme and host, no default port, no final slash
  enabled boolean not null default true,
  access_token_lifetime integer not null default 3600 check (access_token_lifetime between 60 and 86400), -- seconds
  refresh_idle_lifetime integer not null default 2592000,     -- seconds
  refresh_absolute_lifetime integer not null default 31536000, -- seconds
  registration_enabled boolean not null default true,          -- RFC 7591
  metadata_documents_enabled boolean not null default true,    -- client ID metadata documents
  settings jsonb not null default '{}',        -- only what differs from the defaults in mcp/mcp-server-settings.ts
  refused_resource text,                       -- last resource value refused because no Server URL is registered
  revoked_before timestamptz,                  -- tokens issued earlier are revoked as a whole
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,                      -- kept so that ids are never reused and the feed goes on
  row_version bigint not null default 1,
  primary key (environment_id, id)
);
create unique index mcp_servers_by_url on mcp_servers (environment_id, server_url_key) where server_url_key is not null and deleted_at is null;

create table mcp_server_scopes (
  environment_id text not null,
  mcp_server_id text not null,
  name text not null,                          -- a permission's name
  position integer not null,
  class text not null check (class in ('see', 'change', 'delete_or_spend')),
  is_default boolean not null,                 -- granted when a request names no scope
  title text not null default '',
  description text not null default '',
  primary key (environment_id, mcp_server_id, name),
  foreign key (environment_id, mcp_server_id) references mcp_servers (environment_id, id)
);

create table clients (
  environment_id text not null references environments (id),
  id text not null,                            -- skc_, m2m_ and digits, or the https URL of a metadata document
  kind text not null check (kind in ('environment', 'application', 'mcp')),
  registration text not null check (registration in ('admin', 'dynamic', 'metadata-document')),
  mcp_server_id text,                          -- the one server an admin-made or registered MCP client belongs to
  organization_id text,
  name text not null default '',
  description text not null default '',
  application_type text,
  redirect_uris text[] not null default '{}',
  grant_types text[] not null default '{authorization_code}',
  response_types text[] not null default '{code}',
  token_endpoint_auth_method text not null default 'client_secret_basic',
  scopes text[] not null default '{}',         -- what an admin allows a machine client
  metadata jsonb not null default '{}',        -- display members: client_uri, logo_uri, tos_uri, policy_uri, names in languages, software_id …
  jwks jsonb,
  jwks_uri text,
  settings jsonb not null default '{}',        -- per client switches of an administrator
  management_api boolean not null default false, -- may hold management tokens
  enabled boolean not null default true,
  registration_digest bytea,                   -- equal for registrations equal in every stored member: the row is shared
  registration_token_hash bytea,               -- RFC 7592, only when the MCP server allows it
  asserted_at timestamptz,                     -- has authenticated by assertion: never less again
  revocation_secret bytea not null,            -- 32 random bytes; sha256(secret || server id) is the handle in tokens
  created_at timestamptz not null,
  updated_at timestamptz not null,
  completed_at timestamptz,                    -- first completed authorization
  last_used_at timestamptz,
  deleted_at timestamptz,                      -- tombstone, kept one year
  deleted_because text,
  row_version bigint not null default 1,
  primary key (environment_id, id)
);
create unique index clients_shared on clients (environment_id, mcp_server_id, registration_digest) where registration_digest is not null and deleted_at is null;
create index clients_of_a_server on clients (environment_id, mcp_server_id, id) where mcp_server_id is not null;
create index clients_to_reap on clients (environment_id, registration, created_at) where deleted_at is null;

create table client_secrets (
  environment_id text not null,
  id text not null,                            -- sec_ and digits
  client_id text not null,
  secret_hash bytea not null,                  -- SHA-256: secrets are 256 bits of chance, or an operator's of 32 characters and more
  suffix text not null,                        -- last four characters, for people
  readable bytea,                              -- development only: encrypted, so that the start can print it again
  active boolean not null default true,
  created_at timestamptz not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  primary key (environment_id, id),
  foreign key (environment_id, client_id) references clients (environment_id, id)
);
create index client_secrets_of_a_client on client_secrets (environment_id, client_id);

-- Fetched client ID metadata documents: only valid ones are kept.
create table client_documents (
  environment_id text not null,
  url text not null,
  document jsonb not null,
  digest bytea not null,                       -- of redirect URIs, keys, jwks_uri, methods and name: a change ends remembered consents
  fetched_at timestamptz not null,
  fresh_until timestamptz not null,
  primary key (environment_id, url)
);
create table client_key_sets (
  environment_id text not null,
  url text not null,                           -- a jwks_uri
  jwks jsonb not null,
  fetched_at timestamptz not null,
  primary key (environment_id, url)
);
create table client_logos (
  environment_id text not null,
  id text not null,                            -- hash of the URL, named in our own address
  url text not null,
  image bytea not null,                        -- decoded and encoded anew by us
  fetched_at timestamptz not null,
  primary key (environment_id, id)
);

-- jti values of assertions: single use in the whole environment.
create table used_assertions (
  environment_id text not null,
  issuer text not null,
  jti_hash bytea not null,
  expires_at timestamptz not null,
  primary key (environment_id, issuer, jti_hash)
);
create index used_assertions_expired on used_assertions (expires_at);

create trigger mcp_servers_changed after insert or update or delete on mcp_servers for each row execute function notify_row_changed();
create trigger clients_changed after update or delete on clients for each row execute function notify_row_changed();
