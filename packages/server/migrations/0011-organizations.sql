-- Organizations: the customers of an application, each with people, settings and limits of its own.

-- All parts of three characters. With an index over them, a search for a part of a text reads few rows, on any PostgreSQL.
create function trigrams(value text) returns text[] language sql immutable strict parallel safe as $$
  select array_agg(substr(value, i, 3)) from generate_series(1, greatest(length(value) - 2, 1)) as i
$$;

create table organizations (
  environment_id text not null references environments (id),
  id text not null,                            -- org_ and digits
  external_id text,                            -- the application's own name for it
  display_name text not null,
  slug text,                                   -- DNS label or host name, lower case; free again after a deletion
  logo_url text,                               -- https
  region_code text not null default 'US',
  metadata jsonb not null default '{}',        -- at most ten pairs of text
  settings jsonb not null default '{}',        -- features: names and whether each is on; absent ones are off
  session_policy jsonb,                        -- timeouts in minutes; absent: the application's policy alone
  max_allowed_users integer check (max_allowed_users >= 0), -- absent: not managed; 0: no limit
  search_text text not null default '',        -- display name, id and external id in lower case: what a search looks through
  search_parts text[] generated always as (trigrams(search_text)) stored, -- three characters each; a column, as computing them for each row that a scan looks at would be slow
  created_at timestamptz not null,
  updated_at timestamptz not null,
  row_version bigint not null default 1,
  primary key (environment_id, id)
);
create unique index organizations_by_external_id on organizations (environment_id, external_id) where external_id is not null;
create unique index organizations_by_slug on organizations (environment_id, slug) where slug is not null;
create index organizations_by_trigrams on organizations using gin (search_parts);
