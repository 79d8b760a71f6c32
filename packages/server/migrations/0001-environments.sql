-- The deployment's tenants, their signing keys, the outbox of events, and counters that several processes share.

create table environments (
  id text primary key,                         -- env_ and digits
  url text not null unique,                    -- issuer E: canonical spelling, no trailing slash
  display_name text not null,
  kind text not null check (kind in ('DEVELOPMENT', 'PRODUCTION')),
  settings jsonb not null default '{}',        -- only what differs from the defaults in environments/environments.ts
  created_at timestamptz not null,
  row_version bigint not null default 1        -- grows with each change; caches compare it
);

-- One row for the whole deployment: proves at start that the operator key is the one that wrote the secrets.
create table deployment (
  only_row boolean primary key default true check (only_row),
  operator_key_check bytea not null,           -- a known plaintext, encrypted like every other secret
  created_at timestamptz not null
);

create table signing_keys (
  environment_id text not null references environments (id),
  id text not null unique,                     -- kid: snk_ and digits, unique in the deployment
  algorithm text not null,                     -- JWS alg
  state text not null check (state in ('future', 'current', 'retired', 'withdrawn')),
  position bigint not null,                    -- order in which future keys are promoted
  public_jwk jsonb not null,
  private_key bytea not null,                  -- PKCS #8, encrypted at rest and bound to this row
  created_at timestamptz not null,
  promoted_at timestamptz,
  retired_at timestamptz,
  published_until timestamptz,                 -- a retired key leaves the key set after this
  primary key (environment_id, id)
);
-- Two processes that promote at once: one of them fails here.
create unique index signing_keys_one_current on signing_keys (environment_id, algorithm) where state = 'current';

create sequence event_sequence;
create table events (
  environment_id text not null,
  id bigint not null default nextval('event_sequence'),
  type text not null,
  outcome text not null default 'success' check (outcome in ('success', 'failure')),
  reason text,                                 -- machine-readable reason of a failure
  occurred_at timestamptz not null,
  flow_id text,                                -- joins every hop of one authorization, from discovery to refresh
  request_id text,
  client_id text,
  user_id text,
  mcp_server_id text,
  organization_id text,
  grant_id text,
  address text,
  user_agent text,
  data jsonb not null default '{}',            -- never a token, code, secret or verifier
  primary key (environment_id, id)
);
create index events_of_a_flow on events (environment_id, flow_id, id) where flow_id is not null;
create index events_by_type on events (environment_id, type, id);
create index events_of_a_request on events (environment_id, request_id) where request_id is not null;

-- Fixed-window counters; the upsert that counts is the gate.
create table rate_limits (
  environment_id text not null,
  key text not null,                           -- name of the limit and what it counts (addresses and e-mail hashed)
  window_started_at timestamptz not null,
  window_ends_at timestamptz not null,
  count integer not null,
  primary key (environment_id, key)
);
create index rate_limits_ended on rate_limits (window_ends_at);

-- Changes of cached rows reach every process; a cache also forgets after 30 s by itself.
create function notify_row_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('gatewarden_rows', json_build_object('table', tg_table_name, 'environment_id',
    case when tg_table_name = 'environments' then coalesce(new.id, old.id)
         else coalesce(to_jsonb(new) ->> 'environment_id', to_jsonb(old) ->> 'environment_id') end,
    'id', coalesce(to_jsonb(new) ->> 'id', to_jsonb(old) ->> 'id'))::text);
  return null;
end $$;
create trigger environments_changed after insert or update or delete on environments for each row execute function notify_row_changed();
create trigger signing_keys_changed after insert or update or delete on signing_keys for each row execute function notify_row_changed();
