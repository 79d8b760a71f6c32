-- Events that others hear of: what they are about, who caused them, and the endpoints they are delivered to.

alter table events add column object text;         -- kind of thing that payloads are about; absent: not an event of the catalogue, delivered to nobody
alter table events add column opt_in boolean not null default false; -- only for endpoints that name the type, not for those of all types
alter table events add column actor_kind text;     -- environment-client, operator, user, portal, directory; absent: nobody called the management API
alter table events add column actor_id text;
alter table events add column connection_id text;
alter table events add column interceptor_id text;

-- Lists are in the order of ids. Ids follow the time closely but not exactly: a list of a span finds its ends here, and the
-- clean-up finds what is too old.
create index events_by_time on events (environment_id, occurred_at);
create index events_of_an_organization on events (environment_id, organization_id, id) where organization_id is not null;
create index events_of_a_connection on events (environment_id, connection_id, id) where connection_id is not null;
create index events_of_an_interceptor on events (environment_id, interceptor_id, id) where interceptor_id is not null;
create index events_of_directories on events (environment_id, id) where actor_kind = 'directory' or type like 'organization.directory.%';
-- Dead rows of what is cleaned up each day must not wait for a fifth of a large table.
alter table events set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

create table webhook_endpoints (
  environment_id text not null references environments (id),
  id text not null,                            -- whe_ and digits
  url text not null,
  description text not null default '',
  all_types boolean not null,                  -- every type of the catalogue that is not opt-in, those of later versions too
  event_types text[] not null,                 -- the types it names
  enabled boolean not null default true,
  disabled_because text check (disabled_because in ('request', 'failing')), -- absent while enabled
  disabled_at timestamptz,
  secret bytea not null,                       -- whsec_ and base64, encrypted at rest and bound to this row
  previous_secret bytea,                       -- signs as well until it ends
  previous_secret_ends_at timestamptz,
  failing_since timestamptz,                   -- first failure after the last success
  last_succeeded_at timestamptz,
  last_failed_at timestamptz,
  succeeded bigint not null default 0,         -- attempts
  failed bigint not null default 0,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id),
  check (enabled = (disabled_because is null))
);

-- One row for each event and endpoint. It is made in the statement that writes the event: there is no change without its
-- delivery and no delivery without its change.
create sequence webhook_delivery_sequence minvalue 100000000000000;
create table webhook_deliveries (
  environment_id text not null,
  id text not null default 'whd_' || nextval('webhook_delivery_sequence'),
  endpoint_id text not null,
  event_id bigint not null,
  event_type text not null,
  payload jsonb,                               -- of a test, as it is sent; all others are made from the event
  state text not null default 'queued' check (state in ('queued', 'retrying', 'succeeded', 'failed')),
  attempts integer not null default 0,
  next_attempt_at timestamptz,                 -- while an attempt is under way: when others may take it over. Absent: nothing more to do
  last_attempt_at timestamptz,
  last_status integer,                         -- HTTP status of the last answer
  last_answer bytea,                           -- its first 4096 bytes
  last_error text,                             -- why there was no answer, or none that counts
  last_duration_ms integer,
  created_at timestamptz not null,
  primary key (environment_id, id),
  unique (environment_id, event_id, endpoint_id)
  -- No foreign key: a change must neither wait for nor fail with an endpoint that is being deleted. What is left of one is
  -- shown to nobody, sent to nobody, and goes with its age.
);
create index webhook_deliveries_due on webhook_deliveries (environment_id, endpoint_id, next_attempt_at) where next_attempt_at is not null;
create index webhook_deliveries_of_an_endpoint on webhook_deliveries (environment_id, endpoint_id, id);
create index webhook_deliveries_failed on webhook_deliveries (environment_id, endpoint_id, id) where state = 'failed';
create index webhook_deliveries_by_time on webhook_deliveries (environment_id, created_at);
alter table webhook_deliveries set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);

create function deliver_event() returns trigger language plpgsql as $$
begin
  insert into webhook_deliveries (environment_id, endpoint_id, event_id, event_type, next_attempt_at, created_at)
  select new.environment_id, e.id, new.id, new.type, new.occurred_at, new.occurred_at
    from webhook_endpoints e
   where e.environment_id = new.environment_id and e.enabled
     and ((e.all_types and not new.opt_in) or new.type = any (e.event_types));
  return null;
end $$;
-- What tokens and sign-ins leave behind has no object, and costs nothing here.
create trigger events_delivered after insert on events for each row when (new.object is not null) execute function deliver_event();
