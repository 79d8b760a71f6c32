-- Access tokens outlive the grant they came from: who withdraws a person's or a client's tokens looks at grants that have ended too.
create index grants_ended_of_a_user on grants (environment_id, user_id) where ended_at is not null;
create index grants_ended_of_a_client on grants (environment_id, client_id) where ended_at is not null;
-- Introspection asks for single values; the feed reads a server's entries in order.
create index revocations_by_value on revocations (environment_id, mcp_server_id, kind, value);
-- For the clean-up: tokens of ended families, and copies of codes in the flows' rows.
create index refresh_tokens_dead on refresh_tokens (revoked_at) where revoked_at is not null;
create index login_requests_sealed on login_requests (environment_id, code_hash) where code_sealed is not null;
