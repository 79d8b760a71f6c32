-- Directories: the people and groups that an organization's identity provider tells about, and the attributes applications define.

-- Attributes of people that an application defines, beside the standard ones, which are the same everywhere and have no rows.
create table user_attributes (
  environment_id text not null references environments (id),
  kind text not null check (kind in ('sso', 'directory')), -- who brings the values: a sign-in at an identity provider, or a directory
  key text not null,                           -- no other of the kind differs from it in case only
  label text not null,
  datatype text not null check (datatype in ('STRING', 'NUMBER', 'BOOL', 'ARRAY', 'OBJECT')),
  enabled boolean not null,
  required boolean not null,
  saml_mapping text,                           -- what the attribute is called in SAML assertions, unless a connection says otherwise
  oidc_mapping text,                           -- the same of claims
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, kind, key)
);
create unique index user_attributes_by_key on user_attributes (environment_id, kind, lower(key));

create table directories (
  environment_id text not null,
  id text not null,                            -- dir_ and digits
  organization_id text not null,
  name text not null,
  type text not null check (type in ('SCIM', 'POLL')),
  provider text not null,                      -- name of the contract's value, DIRECTORY_PROVIDER_UNSPECIFIED for any other
  enabled boolean not null,                    -- off: the directory is not written to, what is in it stays
  status text not null default 'DRAFT' check (status in ('DRAFT', 'IN_PROGRESS', 'COMPLETED')), -- how far the set-up has come
  groups_tracked text not null default 'ALL' check (groups_tracked in ('ALL', 'SELECTED')),
  context jsonb not null default '{}',         -- notes of the set-up pages; means nothing to the server
  total_users integer not null default 0,      -- kept with each change, so that answers need not count
  total_groups integer not null default 0,
  user_updated_at timestamptz,
  group_updated_at timestamptz,
  last_synced_at timestamptz,                  -- the provider's last change of a person or group
  changed_at timestamptz not null,             -- the newest stamp of a change; every next one is later, whatever the clock does
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade
);
create index directories_of_an_organization on directories (environment_id, organization_id, id);
create unique index directories_enabled on directories (environment_id, organization_id) where enabled; -- two at once would contradict each other

-- What a provider proves itself with. The secret is 256 random bits, so that a plain digest is enough.
create table directory_secrets (
  environment_id text not null,
  id text not null,                            -- sec_ and digits
  directory_id text not null,
  secret_hash bytea not null,                  -- SHA-256
  suffix text not null,                        -- last four characters, for people
  active boolean not null default true,
  expires_at timestamptz not null,
  last_used_at timestamptz,
  created_at timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, directory_id) references directories (environment_id, id) on delete cascade
);
create index directory_secrets_of_a_directory on directory_secrets (environment_id, directory_id, id);
create unique index directory_secrets_by_hash on directory_secrets (environment_id, secret_hash);

create table directory_users (
  environment_id text not null,
  id text not null,                            -- diruser_ and digits
  directory_id text not null,
  user_name text not null,                     -- unique in its directory, in any case
  external_id text,                            -- the provider's own id
  email text not null,
  given_name text not null default '',
  family_name text not null default '',
  active boolean not null,
  attributes jsonb not null default '{}',      -- the other normalized attributes, by their names in events
  raw jsonb not null default '{}',             -- as the provider sent it, without a password
  version bigint not null default 1,           -- for entity tags
  created_at timestamptz not null,
  updated_at timestamptz not null,             -- also when groups or roles of the person change
  primary key (environment_id, id),
  foreign key (environment_id, directory_id) references directories (environment_id, id) on delete cascade
);
create unique index directory_users_by_name on directory_users (environment_id, directory_id, lower(user_name));
create index directory_users_by_external_id on directory_users (environment_id, directory_id, external_id) where external_id is not null;
create index directory_users_by_email on directory_users (environment_id, directory_id, lower(email));
create index directory_users_in_order on directory_users (environment_id, directory_id, id);
create index directory_users_by_change on directory_users (environment_id, directory_id, updated_at, id);

create table directory_groups (
  environment_id text not null,
  id text not null,                            -- dirgroup_ and digits
  directory_id text not null,
  display_name text not null,                  -- unique in its directory, in any case
  external_id text,                            -- the provider's own id
  raw jsonb not null default '{}',             -- as the provider sent it, without members
  tracked boolean not null default true,       -- false: known, but neither listed nor counted for roles
  total_users integer not null default 0,      -- direct members, kept with each change
  version bigint not null default 1,           -- for entity tags
  created_at timestamptz not null,
  updated_at timestamptz not null,             -- also when members come or go
  primary key (environment_id, id),
  foreign key (environment_id, directory_id) references directories (environment_id, id) on delete cascade
);
create unique index directory_groups_by_name on directory_groups (environment_id, directory_id, lower(display_name));
create index directory_groups_by_external_id on directory_groups (environment_id, directory_id, external_id) where external_id is not null;
create index directory_groups_in_order on directory_groups (environment_id, directory_id, id);
create index directory_groups_by_change on directory_groups (environment_id, directory_id, updated_at, id);

create table directory_group_members (
  environment_id text not null,
  group_id text not null,
  user_id text not null,                       -- of the directory, not of the environment
  primary key (environment_id, group_id, user_id),
  foreign key (environment_id, group_id) references directory_groups (environment_id, id) on delete cascade,
  foreign key (environment_id, user_id) references directory_users (environment_id, id) on delete cascade
);
create index directory_group_members_of_a_user on directory_group_members (environment_id, user_id, group_id);

-- Groups inside of groups: who is in the inner one has the roles of the outer one as well.
create table directory_nested_groups (
  environment_id text not null,
  group_id text not null,
  member_group_id text not null,
  primary key (environment_id, group_id, member_group_id),
  foreign key (environment_id, group_id) references directory_groups (environment_id, id) on delete cascade,
  foreign key (environment_id, member_group_id) references directory_groups (environment_id, id) on delete cascade
);
create index directory_nested_groups_by_member on directory_nested_groups (environment_id, member_group_id, group_id);

-- Groups the provider has, whether or not it has sent them yet, and which of them count.
create table directory_external_groups (
  environment_id text not null,
  directory_id text not null,
  external_id text not null,
  display_name text not null default '',
  email text not null default '',
  selected boolean not null,
  primary key (environment_id, directory_id, external_id),
  foreign key (environment_id, directory_id) references directories (environment_id, id) on delete cascade
);

-- Roles that people of a group have. A role that is deleted goes from here as well.
create table directory_role_assignments (
  environment_id text not null,
  directory_id text not null,
  group_id text not null,
  role_id text not null,                       -- of the organization or of the environment
  place integer not null,                      -- as they were given
  primary key (environment_id, group_id, role_id),
  foreign key (environment_id, directory_id) references directories (environment_id, id) on delete cascade,
  foreign key (environment_id, group_id) references directory_groups (environment_id, id) on delete cascade,
  foreign key (environment_id, role_id) references roles (environment_id, id) on delete cascade
);
create index directory_role_assignments_of_a_directory on directory_role_assignments (environment_id, directory_id, place);
create index directory_role_assignments_of_a_role on directory_role_assignments (environment_id, role_id);

-- Which attribute of the provider fills which of ours.
create table directory_attribute_mappings (
  environment_id text not null,
  directory_id text not null,
  map_to text not null,                        -- ours
  key text not null,                           -- the provider's
  display_name text not null default '',
  attribute_kind text check (attribute_kind = 'directory'), -- absent for standard attributes, which have no row to refer to
  place integer not null,                      -- as they were given
  primary key (environment_id, directory_id, map_to),
  foreign key (environment_id, directory_id) references directories (environment_id, id) on delete cascade,
  constraint directory_attribute_mappings_attribute foreign key (environment_id, attribute_kind, map_to) references user_attributes (environment_id, kind, key)
);
create index directory_attribute_mappings_of_an_attribute on directory_attribute_mappings (environment_id, attribute_kind, map_to);
