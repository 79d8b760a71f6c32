-- Interceptors: addresses of an application that are asked before somebody signs up, signs in, is invited, or a machine gets a token.

create table interceptors (
  environment_id text not null references environments (id),
  id text not null,                            -- icp_ and digits
  display_name text not null,
  description text not null default '',
  trigger_point text not null,                 -- name of the contract's enumeration
  url text not null,
  timeout_ms integer not null check (timeout_ms between 100 and 30000),
  fail_open boolean not null,                  -- what a call that failed means: go on, or refuse
  auth jsonb,                                  -- how we authenticate there, without the secret of it: kind, header_name or token_url, client_id, scope
  auth_secret bytea,                           -- API key or client secret, encrypted at rest and bound to this row
  secret_id text not null,                     -- sec_ and digits, new with each signing secret
  secret bytea not null,                       -- whsec_ and base64, encrypted at rest and bound to this row
  secret_suffix text not null,                 -- last four characters, for people
  previous_secret bytea,                       -- signs as well until it ends
  previous_secret_ends_at timestamptz,
  enabled boolean not null default false,
  last_executed_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id)
);
create index interceptors_of_a_trigger on interceptors (environment_id, trigger_point, id) where enabled;

-- Processes remember which interceptors a trigger has, so a change names the trigger. That one was executed is no change.
create function notify_interceptors_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('gatewarden_rows', json_build_object('table', 'interceptors', 'environment_id', coalesce(new.environment_id, old.environment_id),
    'id', named)::text)
    from (select new.trigger_point as named union select old.trigger_point) as both_triggers where named is not null;
  return null;
end $$;
create trigger interceptors_changed after insert or delete or update of display_name, trigger_point, url, timeout_ms, fail_open, auth, auth_secret, secret, previous_secret, enabled
  on interceptors for each row execute function notify_interceptors_changed();

alter table sessions add column custom_claims jsonb; -- what interceptors said at the last sign-in; in access tokens as custom_claims
