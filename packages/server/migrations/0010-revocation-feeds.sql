-- Entries of a revocation feed get their numbers at the end of their transaction, one transaction of an environment after the
-- other: whoever has seen an entry can see all entries before it, and a follower that asks for newer ones misses none.

-- Waits for transactions that have written entries with numbers of the old kind.
lock table revocations in share row exclusive mode;

create table revocation_feeds (
  environment_id text not null,
  mcp_server_id text not null,
  newest_seq bigint not null,                  -- of the newest entry there ever was; entries are forgotten when they matter no more
  seed uuid not null default gen_random_uuid(), -- part of the epoch; a new one makes followers start over
  primary key (environment_id, mcp_server_id)
);
insert into revocation_feeds (environment_id, mcp_server_id, newest_seq)
  select environment_id, mcp_server_id, max(seq) from (
    select environment_id, id as mcp_server_id, 0 as seq from mcp_servers
    union all select environment_id, mcp_server_id, seq from revocations) known
   group by environment_id, mcp_server_id;

create function begin_revocation_feed() returns trigger language plpgsql as $$
begin
  insert into revocation_feeds (environment_id, mcp_server_id, newest_seq) values (new.environment_id, new.id, 0) on conflict do nothing;
  return null;
end $$;
create trigger mcp_servers_begin_feed after insert on mcp_servers for each row execute function begin_revocation_feed();

-- Until its transaction ends, an entry has a number below zero.
alter table revocations alter column seq set default -nextval('revocation_sequence');
create function number_revocation() returns trigger language plpgsql as $$
declare
  number bigint;
begin
  -- Held until after the commit. All row locks of the transaction have been taken by now, so nobody waits in a circle.
  perform pg_advisory_xact_lock(724117, hashtext(new.environment_id));
  insert into revocation_feeds as feed (environment_id, mcp_server_id, newest_seq) values (new.environment_id, new.mcp_server_id, 1)
    on conflict (environment_id, mcp_server_id) do update set newest_seq = feed.newest_seq + 1
    returning feed.newest_seq into number;
  update revocations set seq = number
   where environment_id = new.environment_id and mcp_server_id = new.mcp_server_id and seq = new.seq;
  perform pg_notify('gatewarden_revocations', new.environment_id || ' ' || new.mcp_server_id);
  return null;
end $$;
drop trigger revocations_written on revocations;
drop function notify_revocation();
create constraint trigger revocations_written after insert on revocations
  deferrable initially deferred for each row execute function number_revocation();
