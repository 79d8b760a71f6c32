-- How mails look and who delivers them: templates of the application and of its organizations, and mail servers.

create table email_templates (
  environment_id text not null references environments (id),
  id text not null,                            -- tpl_ and digits
  organization_id text,                        -- absent: for everybody without a template of their organization
  use_case text not null,                      -- name of the contract's value
  enabled boolean not null default false,
  subject text not null,
  html_content text not null,
  plain_content text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id),
  foreign key (environment_id, organization_id) references organizations (environment_id, id) on delete cascade
);
create index email_templates_in_order on email_templates (environment_id, organization_id, id);
create unique index email_templates_enabled on email_templates (environment_id, use_case) where enabled and organization_id is null;
create unique index email_templates_enabled_of_organizations on email_templates (environment_id, organization_id, use_case) where enabled and organization_id is not null;

-- Instead of the server of the configuration, one of these delivers the mails of its environment.
create table email_servers (
  environment_id text not null references environments (id),
  id text not null,                            -- esr_ and digits
  provider text not null,                      -- SENDGRID, POSTMARK or OTHER: says nothing to the server
  enabled boolean not null default false,
  host text not null,                          -- its addresses are checked at each delivery
  port integer not null check (port between 1 and 65535),
  username text not null,
  password bytea not null,                     -- encrypted at rest and bound to this row
  from_email text not null,
  from_name text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (environment_id, id)
);
create unique index email_servers_enabled on email_servers (environment_id) where enabled;

create table email_settings (
  environment_id text primary key references environments (id),
  default_from_name text not null,             -- who mails are from when the server of the configuration delivers them
  updated_at timestamptz not null
);
