-- What the clean-up looks for: the current tokens of families that nobody used in time. With its current token a family has ended.
create index refresh_tokens_current on refresh_tokens (idle_expires_at) where grace_ends_at is null and revoked_at is null;
