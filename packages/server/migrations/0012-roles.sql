-- Roles of an environment and of single organizations, what they permit, and which of them new members get.

alter table permissions add column built_in boolean not null default false; -- made with the environment, for the pages organizations manage themselves on; cannot be changed or deleted

-- A role has its own permissions and those of its base, of the base's base and so on: at most ten steps, never in a circle.
create table roles (
  environment_id text not null references environments (id),
  id text not null,                            -- role_ and digits
  organization_id text,                        -- absent: a role of the environment
  name text not null,                          -- as first written; no other differs from it in case only
  display_name text not null,
  description text not null default '',
  base_id text,                                -- the role whose permissions this one has as well
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id),
  constraint roles_organization foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade,
  constraint roles_base foreign key (environment_id, base_id) references roles (environment_id, id)
);
create unique index roles_by_name on roles (environment_id, lower(name)) where organization_id is null;
create unique index roles_of_an_organization_by_name on roles (environment_id, organization_id, lower(name)) where organization_id is not null;
create index roles_by_base on roles (environment_id, base_id, id) where base_id is not null;

-- What a role permits by itself. A permission that a role has cannot be deleted, whatever races.
create table role_permissions (
  environment_id text not null,
  role_id text not null,
  permission_name text not null,
  primary key (environment_id, role_id, permission_name),
  foreign key (environment_id, role_id) references roles (environment_id, id) on delete cascade,
  foreign key (environment_id, permission_name) references permissions (environment_id, name)
);
create index role_permissions_of_a_permission on role_permissions (environment_id, permission_name);

-- One row per environment, and what is locked while roles get other bases: two changes at once never make a circle.
create table default_roles (
  environment_id text primary key references environments (id),
  creator_role_id text not null,               -- of whoever creates an organization
  member_role_id text not null,                -- of everybody who joins one without a role
  constraint default_roles_creator foreign key (environment_id, creator_role_id) references roles (environment_id, id),
  constraint default_roles_member foreign key (environment_id, member_role_id) references roles (environment_id, id)
);
create index default_roles_of_creators on default_roles (environment_id, creator_role_id);
create index default_roles_of_members on default_roles (environment_id, member_role_id);

-- Organizations whose new members get another role than those of the environment.
create table organization_default_roles (
  environment_id text not null,
  organization_id text not null,
  member_role_id text not null,                -- of the organization or of the environment
  primary key (environment_id, organization_id),
  foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade,
  constraint organization_default_roles_member foreign key (environment_id, member_role_id) references roles (environment_id, id)
);
create index organization_default_roles_of_members on organization_default_roles (environment_id, member_role_id);

-- What every environment begins with. The ids have the form of all others: milliseconds and 22 bits behind the prefix.
create function begin_roles() returns trigger language plpgsql as $$
declare
  first_id bigint := ((extract(epoch from new.created_at) * 1000)::bigint << 22) | ((floor(random() * 262144))::bigint << 4);
begin
  insert into permissions (environment_id, id, name, description, created_at, updated_at, built_in)
  select new.id, 'perm_' || (first_id + place), name, words, new.created_at, new.created_at, true
    from (values
      (1, 'sk_org_settings_read', 'See the settings of the organization'),
      (2, 'sk_org_settings_manage', 'Change the settings of the organization'),
      (3, 'sk_org_users_read', 'See the members of the organization'),
      (4, 'sk_org_users_invite', 'Invite people to the organization'),
      (5, 'sk_org_users_delete', 'Remove members of the organization'),
      (6, 'sk_org_users_role_change', 'Change the roles of members of the organization'),
      (7, 'sk_org_sso_read', 'See the single sign-on of the organization'),
      (8, 'sk_org_sso_manage', 'Change the single sign-on of the organization'),
      (9, 'sk_org_scim_read', 'See the directory of the organization'),
      (10, 'sk_org_scim_manage', 'Change the directory of the organization'),
      (11, 'sk_org_session_policy_read', 'See the session policy of the organization'),
      (12, 'sk_org_session_policy_manage', 'Change the session policy of the organization')
    ) as built_in (place, name, words)
  on conflict (environment_id, name) do update set built_in = true;
  insert into roles (environment_id, id, name, display_name, description, created_at, updated_at) values
    (new.id, 'role_' || (first_id + 1), 'admin', 'Admin', 'Manages the organization', new.created_at, new.created_at),
    (new.id, 'role_' || (first_id + 2), 'member', 'Member', 'Belongs to the organization', new.created_at, new.created_at);
  insert into role_permissions (environment_id, role_id, permission_name)
  select new.id, 'role_' || (first_id + 1), name from permissions where environment_id = new.id and built_in
  union all select new.id, 'role_' || (first_id + 2), name from permissions
   where environment_id = new.id and name in ('sk_org_settings_read', 'sk_org_users_read');
  insert into default_roles (environment_id, creator_role_id, member_role_id)
  values (new.id, 'role_' || (first_id + 1), 'role_' || (first_id + 2));
  return null;
end $$;
create trigger environments_begin_roles after insert on environments for each row execute function begin_roles();

-- Environments that are there already begin with the same; the trigger for updates is there for this one statement.
create trigger environments_begin_roles_once after update on environments for each row execute function begin_roles();
update environments set display_name = display_name;
drop trigger environments_begin_roles_once on environments;
