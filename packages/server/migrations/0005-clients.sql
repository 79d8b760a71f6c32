-- Clients: which software is known at a server, the hosts of metadata documents, and who made a secret.

-- Software that has ever completed an authorization at a server keeps a part of the registration limit.
create index clients_known_software on clients (environment_id, mcp_server_id, name) where completed_at is not null and deleted_at is null;

-- Whether a host ever had a valid document decides which part of the fetch budget a new URL of it uses.
alter table client_documents add column host text not null default '';
create index client_documents_of_a_host on client_documents (environment_id, host);

-- The secret in the server's own configuration: a new value there ends the older one.
alter table client_secrets add column from_configuration boolean not null default false;

-- Only a new row version matters to caches; notes such as last use come far more often.
drop trigger clients_changed on clients;
create trigger clients_changed after update on clients for each row
  when (old.row_version is distinct from new.row_version) execute function notify_row_changed();
create trigger clients_removed after delete on clients for each row execute function notify_row_changed();
