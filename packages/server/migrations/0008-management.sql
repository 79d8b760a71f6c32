-- What the management API needs of permissions and clients.

-- A scope is a permission of the environment: one that an MCP server uses cannot be deleted, whatever races.
alter table mcp_server_scopes add foreign key (environment_id, name) references permissions (environment_id, name);
create index mcp_server_scopes_of_a_permission on mcp_server_scopes (environment_id, name);

-- Consent pages show a permission's words where the scope has none of its own: caches of the MCP servers hear of a change.
create function permission_described() returns trigger language plpgsql as $$
begin
  update mcp_servers set row_version = row_version + 1
   where environment_id = new.environment_id
     and id in (select mcp_server_id from mcp_server_scopes where environment_id = new.environment_id and name = new.name and description = '');
  return null;
end $$;
create trigger permissions_described after update on permissions for each row
  when (old.description is distinct from new.description) execute function permission_described();

-- A metadata document's URL is longer than an id of the management API may be: there the client goes by this one. Fifteen
-- digits, where generated ids have eighteen or nineteen.
create sequence client_handles minvalue 100000000000000;
alter table clients add column handle text not null default 'm2m_' || nextval('client_handles'); -- names clients known by a metadata document in the management API
create unique index clients_by_handle on clients (environment_id, handle);
