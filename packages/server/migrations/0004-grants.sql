-- Consents, codes, refresh families and revocations. A grant is one consent of one person for one client and server.

create table consents (
  environment_id text not null,
  id text not null,                            -- usrcnst_ and digits
  user_id text not null,
  client_id text not null,
  mcp_server_id text,
  organization_id text,
  redirect_uri text not null,                  -- the exact one that was used
  resource text,                               -- only where the server has no Server URL
  scopes text[] not null,
  client_digest bytea not null,                -- redirect URIs, keys, jwks_uri, methods and name at that time
  remembered boolean not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz,
  revoked_because text,
  primary key (environment_id, id)
);
create index consents_of_a_user on consents (environment_id, user_id, client_id, mcp_server_id) where revoked_at is null;
create index consents_of_a_client on consents (environment_id, client_id) where revoked_at is null;
create index consents_of_a_server on consents (environment_id, mcp_server_id) where revoked_at is null;

create table authorization_codes (
  environment_id text not null,
  code_hash bytea not null,
  flow_id text not null,
  login_request_id text not null,
  issuer text not null,
  client_id text not null,
  redirect_uri text not null,
  redirect_uri_given boolean not null,
  code_challenge text,                         -- S256; absent only for a confidential application at E
  user_id text not null,
  session_id text not null,
  browser_hash bytea not null,
  consent_id text not null,
  mcp_server_id text,
  organization_id text,
  resource text,                               -- audience besides the server's id, when the server has no Server URL
  scopes text[] not null,
  nonce text,
  authenticated_at timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  failures integer not null default 0,
  consumed_at timestamptz,
  grant_id text,                               -- made by the redemption
  primary key (environment_id, code_hash)
);
create index authorization_codes_expired on authorization_codes (expires_at);

create table grants (
  environment_id text not null,
  id text not null,                            -- grt_ and digits
  flow_id text not null,
  consent_id text,
  user_id text not null,
  client_id text not null,
  mcp_server_id text,
  organization_id text,
  session_id text not null,
  browser_hash bytea not null,
  issuer text not null,
  redirect_uri text not null,
  resource text,
  scopes text[] not null,
  auth_method text not null check (auth_method in ('none', 'secret', 'assertion')),
  authenticated_at timestamptz not null,
  revocation_handle text not null,             -- random, in the access tokens
  created_at timestamptz not null,
  absolute_expires_at timestamptz not null,
  last_used_at timestamptz not null,
  ended_at timestamptz,
  ended_because text,
  primary key (environment_id, id)
);
create index grants_of_a_user on grants (environment_id, user_id, id) where ended_at is null;
create index grants_of_a_client on grants (environment_id, client_id, id) where ended_at is null;
create index grants_of_a_server on grants (environment_id, mcp_server_id, id) where ended_at is null;
create index grants_of_a_consent on grants (environment_id, consent_id) where ended_at is null;

create table refresh_tokens (
  environment_id text not null,
  id text not null,                            -- rt_ and digits
  grant_id text not null,
  client_id text not null,
  generation integer not null,
  token_hash bytea not null,
  salt bytea,                                  -- of the rotation that retired this token; erased when its grace ends
  ratchet_key_id text,                         -- which operator key made the successor
  created_at timestamptz not null,
  idle_expires_at timestamptz not null,
  retired_at timestamptz,
  grace_ends_at timestamptz,                   -- set by the one rotation; absent: the current token
  rotated_method text,                         -- how the client authenticated at that rotation
  rotated_network text,
  rotated_user_agent text,
  grace_answers integer not null default 0,
  revoked_at timestamptz,
  primary key (environment_id, id)
);
create unique index refresh_tokens_by_hash on refresh_tokens (environment_id, token_hash);
-- A family has one successor per generation, whatever races.
create unique index refresh_tokens_one_generation on refresh_tokens (environment_id, grant_id, generation);
create index refresh_tokens_salts on refresh_tokens (grace_ends_at) where salt is not null;

-- What verifiers must be told. Handles are opaque and differ from server to server.
create sequence revocation_sequence;
create table revocations (
  environment_id text not null,
  mcp_server_id text not null,
  seq bigint not null default nextval('revocation_sequence'),
  kind text not null check (kind in ('handle', 'jti', 'kid', 'before')),
  value text not null,
  matters_until timestamptz not null,
  created_at timestamptz not null,
  primary key (environment_id, mcp_server_id, seq)
);
create index revocations_ended on revocations (matters_until);
create function notify_revocation() returns trigger language plpgsql as $$
begin
  perform pg_notify('gatewarden_revocations', new.environment_id || ' ' || new.mcp_server_id);
  return null;
end $$;
create trigger revocations_written after insert on revocations for each row execute function notify_revocation();
