-- Searches through long lists find few rows by longer parts: among a million addresses nearly every part of three characters is in
-- many thousands, so that most of a search was spent on what all addresses share.

-- The parts of three characters, for short texts, and those of six.
create function search_parts_of(value text) returns text[] language sql immutable strict parallel safe as $$
  select array_agg(distinct part) from (
    select unnest(trigrams(value)) as part
    union all
    select substr(value, i, 6) from generate_series(1, length(value) - 5) as i
  ) as parts
$$;

-- What a row has that has this text in it.
create function search_keys_of(value text) returns text[] language sql immutable strict parallel safe as $$
  select case
    when length(value) < 6 then trigrams(value)
    else (select array_agg(distinct substr(value, i, 6)) from generate_series(1, length(value) - 5) as i)
  end
$$;

alter table organizations drop column search_parts;
alter table organizations add column search_parts text[] generated always as (search_parts_of(search_text)) stored; -- what a search finds the row by; a column, as computing it for each row that a scan looks at would be slow
create index organizations_by_search_parts on organizations using gin (search_parts);

alter table users drop column search_parts;
alter table users add column search_parts text[] generated always as (search_parts_of(lower(email_key || E'\n' || id || E'\n' || coalesce(external_id, '')))) stored; -- what a search finds the row by
create index users_by_search_parts on users using gin (search_parts);
