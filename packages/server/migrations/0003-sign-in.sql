-- People, their browsers' sessions, pending authorizations, sign-in codes, and the development mailbox.

create table users (
  environment_id text not null references environments (id),
  id text not null,                            -- usr_ and digits
  email text not null,                         -- as typed first
  email_key text not null,                     -- lower case: what is compared
  email_verified_at timestamptz,
  name text not null default '',
  enabled boolean not null default true,
  revocation_secret bytea not null,            -- see clients
  created_at timestamptz not null,
  updated_at timestamptz not null,
  last_login_at timestamptz,
  row_version bigint not null default 1,
  primary key (environment_id, id)
);
create unique index users_by_email on users (environment_id, email_key);

-- One signed-in person in one browser. The cookie's value is stored only as a hash.
create table sessions (
  environment_id text not null,
  id text not null,                            -- ses_ and digits: sid in tokens
  token_hash bytea not null,
  browser_hash bytea not null,                 -- the browser it was made in
  user_id text not null,
  method text not null,                        -- how the person proved who they are: email-code, email-link …
  authenticated_at timestamptz not null,       -- auth_time
  created_at timestamptz not null,
  last_active_at timestamptz not null,
  idle_expires_at timestamptz not null,
  absolute_expires_at timestamptz not null,
  ended_at timestamptz,
  ended_because text,
  address text,
  user_agent text,
  primary key (environment_id, id),
  foreign key (environment_id, user_id) references users (environment_id, id)
);
create unique index sessions_by_token on sessions (environment_id, token_hash);
create index sessions_of_a_user on sessions (environment_id, user_id, id);
create index sessions_of_a_browser on sessions (environment_id, browser_hash);

-- A pending authorization request: frozen when it arrives, bound to the browser that started it.
-- What a login proves is never written here but to that browser's session.
create table login_requests (
  environment_id text not null,
  id text not null,                            -- 256 random bits, in the URL
  browser_hash bytea not null,
  flow_id text not null,                       -- correlation id of the flow
  issuer text not null,                        -- of the authorization endpoint used: E or R
  client_id text not null,
  mcp_server_id text,
  redirect_uri text not null,
  request jsonb not null,                      -- the validated parameters
  email_key text,                              -- address typed on the first page
  email text,
  prompt_done boolean not null default false,  -- the forced sign-in or account choice of this request has happened
  network text not null,                       -- /32 or /64 of the caller: limits pending rows
  decision text check (decision in ('allow', 'deny')),
  decision_digest bytea,                       -- what exactly was decided, so that a repeated POST is told from another
  decided_at timestamptz,
  decided_session_id text,
  code_sealed bytea,                           -- the raw code, encrypted with its own derived key until redeemed or expired
  code_hash bytea,                             -- its row in authorization_codes
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  primary key (environment_id, id)
);
create index login_requests_of_a_network on login_requests (environment_id, network, expires_at) where ended_at is null;
create index login_requests_expired on login_requests (expires_at);

create table sign_in_codes (
  environment_id text not null,
  id text not null,
  login_request_id text not null,
  browser_hash bytea not null,
  email_key text not null,
  code_mac bytea not null,                     -- HMAC with a derived key
  link_hash bytea not null,                    -- SHA-256 of the link's 256-bit token
  pairing_code_sealed bytea,                   -- what a link opened in another browser shows; the same six digits
  sent boolean not null,                       -- false when no mail goes out (unknown address, sign-up closed, over budget)
  attempts integer not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  superseded_at timestamptz,
  refused_at timestamptz,                      -- "I didn't ask for this"
  address text,
  user_agent text,
  primary key (environment_id, id)
);
create unique index sign_in_codes_by_link on sign_in_codes (environment_id, link_hash);
create index sign_in_codes_of_a_request on sign_in_codes (environment_id, login_request_id, created_at);
create index sign_in_codes_expired on sign_in_codes (expires_at);

-- Outgoing mail: written in the transaction that needs it, sent by a job. In development it is the mailbox.
create table mails (
  environment_id text not null,
  id text not null,
  recipient text not null,
  subject text not null,
  text_body bytea not null,                    -- encrypted: bodies hold sign-in codes
  html_body bytea not null,
  code bytea,                                  -- development only, encrypted
  link bytea,
  created_at timestamptz not null,
  sent_at timestamptz,
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  expires_at timestamptz not null,             -- a code that has expired is not worth sending
  last_error text,
  primary key (environment_id, id)
);
create index mails_to_send on mails (next_attempt_at) where sent_at is null;
create index mails_of_a_recipient on mails (environment_id, recipient, created_at);
