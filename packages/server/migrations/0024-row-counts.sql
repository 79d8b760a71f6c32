-- How many rows a long list has, without counting them each time it is asked for.

-- The number is the sum of the changes. Every statement that adds or removes rows notes its own change in a row of its own, so
-- that two of them never wait for each other; a job adds small changes together.
create table row_counts (
  environment_id text not null,
  table_name text not null,
  id bigint not null generated always as identity,
  change bigint not null,                      -- rows added less rows removed
  primary key (environment_id, table_name, id)
);

create function note_added_rows() returns trigger language plpgsql as $$
begin
  insert into row_counts (environment_id, table_name, change)
  select environment_id, tg_table_name, count(*) from changed group by environment_id;
  return null;
end $$;

create function note_removed_rows() returns trigger language plpgsql as $$
begin
  insert into row_counts (environment_id, table_name, change)
  select environment_id, tg_table_name, -count(*) from changed group by environment_id;
  return null;
end $$;

create trigger organizations_added after insert on organizations referencing new table as changed for each statement execute function note_added_rows();
create trigger organizations_removed after delete on organizations referencing old table as changed for each statement execute function note_removed_rows();
create trigger users_added after insert on users referencing new table as changed for each statement execute function note_added_rows();
create trigger users_removed after delete on users referencing old table as changed for each statement execute function note_removed_rows();
create trigger auth_requests_added after insert on auth_requests referencing new table as changed for each statement execute function note_added_rows();
create trigger auth_requests_removed after delete on auth_requests referencing old table as changed for each statement execute function note_removed_rows();

insert into row_counts (environment_id, table_name, change)
select environment_id, 'organizations', count(*) from organizations group by environment_id
union all
select environment_id, 'users', count(*) from users group by environment_id
union all
select environment_id, 'auth_requests', count(*) from auth_requests group by environment_id;
