-- What the management API says of sessions, sign-ins without pages, passkeys, and one line for each authorization request.

-- Absent: no end for being idle. What the policies said when the session began; use moves the idle end by this much.
alter table sessions add column idle_seconds integer default 604800;
alter table sessions add column organization_id text; -- the one it is open in, if any
alter table sessions add column authenticated_organizations text[] not null default '{}';
alter table sessions add column authenticated_clients jsonb not null default '[]'; -- [{"client_id", "organization_id"}]: who got codes in it

-- A proof of an e-mail address that an application asked for; it makes no session.
create table passwordless_requests (
  environment_id text not null references environments (id),
  id text not null,                            -- auth_request_id: 256 random bits; who has it counts as the browser that began
  email text not null,
  email_key text not null,
  type text not null check (type in ('OTP', 'LINK', 'LINK_OTP')),
  template text check (template in ('SIGNIN', 'SIGNUP')),
  magiclink_auth_uri text,
  state text,
  expires_in integer not null,                 -- seconds, as asked for
  template_variables jsonb not null default '{}',
  code_mac bytea,                              -- HMAC with a derived key
  link_hash bytea,                             -- SHA-256 of the link's 256-bit token
  secrets_sealed bytea,                        -- code and link token, encrypted; only where resending repeats them
  attempts integer not null default 0,         -- wrong ones, counted before anything is compared
  last_try_mac bytea,                          -- the same wrong try again says nothing new and is not counted
  mails integer not null default 1,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (environment_id, id)
);
create unique index passwordless_requests_by_link on passwordless_requests (environment_id, link_hash) where link_hash is not null;
create index passwordless_requests_expired on passwordless_requests (expires_at);

-- WebAuthn credentials (Web Authentication Level 3, section 4).
create table passkeys (
  environment_id text not null,
  id text not null,                            -- cred_ and digits
  user_id text not null,
  credential_id bytea not null,                -- chosen by the authenticator
  public_key bytea not null,                   -- COSE_Key
  sign_count bigint not null default 0,
  attestation_type text not null default 'none',
  aaguid text,
  authenticator_name text not null default '',
  attachment text,                             -- platform or cross-platform
  transports text[] not null default '{}',
  user_present boolean not null default false,
  user_verified boolean not null default false,
  backup_eligible boolean not null default false,
  backed_up boolean not null default false,
  display_name text not null default '',
  address text,                                -- of the browser it was made in
  user_agent text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  last_used_at timestamptz,
  primary key (environment_id, id),
  foreign key (environment_id, user_id) references users (environment_id, id) on delete cascade
);
create unique index passkeys_by_credential on passkeys (environment_id, credential_id);
create index passkeys_of_a_user on passkeys (environment_id, user_id, id);

-- What became of each authorization request, for those who run applications and MCP servers. Ids grow with time.
create table auth_requests (
  environment_id text not null,
  id text not null,                            -- req_ and digits
  state text not null check (state in ('INITIATED', 'PENDING', 'SUCCESS', 'FAILED')),
  reason text,                                 -- of a failure, machine-readable
  workflow text not null,                      -- what it is for: MCP or LOGIN
  flow_id text,                                -- joins the events of the flow
  email text,
  email_key text,
  user_id text,
  client_id text,
  connection_id text,
  organization_id text,
  mcp_server_id text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id)
);
create index auth_requests_of_an_address on auth_requests (environment_id, email_key, id) where email_key is not null;
create index auth_requests_in_a_state on auth_requests (environment_id, state, id);
create index auth_requests_of_a_client on auth_requests (environment_id, client_id, id) where client_id is not null;
create index auth_requests_of_a_server on auth_requests (environment_id, mcp_server_id, id) where mcp_server_id is not null;
-- The line that follows this sign-in.
alter table login_requests add column auth_request_id text;
