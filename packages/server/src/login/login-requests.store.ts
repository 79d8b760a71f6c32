import type { Purpose } from '../pages/purpose.ts';
import { type Db, json, sql } from '../storage/db.ts';
import { authRequestSql } from './auth-requests.store.ts';

/** What an authorization request froze for the pages that follow it. */
export type LoginDetails = {
  /** Where the person is going, as the pages show it. */
  readonly purpose: Purpose;
  /** The words of `prompt`. */
  readonly prompts: readonly string[];
  /** Seconds since the last proof that are accepted. */
  readonly maxAge?: number | undefined;
  readonly loginHint?: string | undefined;
  readonly uiLocales?: string | undefined;
  /** Initiate-login URL of the client: where an expired sign-in may start again. */
  readonly startAgainUrl?: string | undefined;
  /** The connection of an MCP server whose people sign in with the application's own login page, and nowhere else. */
  readonly ownSignIn?: string | undefined;
  /** The validated parameters, for whoever made the request; the sign-in pages do not look into them. */
  readonly parameters: Readonly<Record<string, unknown>>;
};

/** A pending authorization request. It is bound to one browser and holds nothing that a login proves (AS-30). */
export type LoginRequest = {
  readonly id: string;
  readonly browserHash: Uint8Array;
  readonly flowId: string;
  /** Its line in the log of authorization requests. */
  readonly authRequestId: string | undefined;
  /** Issuer of the authorization endpoint that was called: E or R. */
  readonly issuer: string;
  readonly clientId: string;
  readonly mcpServerId: string | undefined;
  readonly redirectUri: string;
  readonly details: LoginDetails;
  /** What was typed on the first page. */
  readonly email: string | undefined;
  readonly emailKey: string | undefined;
  /** The sign-in or choice that `prompt` asked for has happened in this request. */
  readonly promptDone: boolean;
  readonly decision: Decision | undefined;
  /** The raw code, encrypted, until it is redeemed or expired (AS-128), and its hash. */
  readonly codeSealed: Uint8Array | undefined;
  readonly codeHash: Uint8Array | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly endedAt: Date | undefined;
};

export type Decision = {
  readonly kind: 'allow' | 'deny';
  readonly digest: Uint8Array;
  readonly decidedAt: Date;
  readonly sessionId: string;
};

type Row = {
  id: string;
  browser_hash: Uint8Array;
  flow_id: string;
  auth_request_id: string | null;
  issuer: string;
  client_id: string;
  mcp_server_id: string | null;
  redirect_uri: string;
  request: LoginDetails;
  email_key: string | null;
  email: string | null;
  prompt_done: boolean;
  decision: 'allow' | 'deny' | null;
  decision_digest: Uint8Array | null;
  decided_at: Date | null;
  decided_session_id: string | null;
  code_sealed: Uint8Array | null;
  code_hash: Uint8Array | null;
  created_at: Date;
  expires_at: Date;
  ended_at: Date | null;
};

const columns = sql`id, browser_hash, flow_id, auth_request_id, issuer, client_id, mcp_server_id, redirect_uri, request, email_key, email, prompt_done,
  decision, decision_digest, decided_at, decided_session_id, code_sealed, code_hash, created_at, expires_at, ended_at`;

function fromRow(row: Row): LoginRequest {
  const decided = row.decision && row.decision_digest && row.decided_at;
  return {
    id: row.id,
    browserHash: row.browser_hash,
    flowId: row.flow_id,
    authRequestId: row.auth_request_id ?? undefined,
    issuer: row.issuer,
    clientId: row.client_id,
    mcpServerId: row.mcp_server_id ?? undefined,
    redirectUri: row.redirect_uri,
    details: row.request,
    email: row.email ?? undefined,
    emailKey: row.email_key ?? undefined,
    promptDone: row.prompt_done,
    decision: decided
      ? {
          kind: row.decision === 'allow' ? 'allow' : 'deny',
          digest: row.decision_digest ?? new Uint8Array(),
          decidedAt: decided,
          sessionId: row.decided_session_id ?? '',
        }
      : undefined,
    codeSealed: row.code_sealed ?? undefined,
    codeHash: row.code_hash ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at ?? undefined,
  };
}

export type NewLoginRequest = {
  environmentId: string;
  id: string;
  browserHash: Uint8Array;
  flowId: string;
  authRequestId: string;
  issuer: string;
  clientId: string;
  mcpServerId: string | undefined;
  redirectUri: string;
  details: LoginDetails;
  network: string;
  now: Date;
  expiresAt: Date;
};

/** Freezes a request and begins its line in the log. */
export async function insertLoginRequest(db: Db, row: NewLoginRequest): Promise<void> {
  await db.rows(sql`
    with log as (${authRequestSql({ ...row, id: row.authRequestId, connectionId: row.details.ownSignIn })})
    insert into login_requests (environment_id, id, browser_hash, flow_id, auth_request_id, issuer, client_id, mcp_server_id, redirect_uri, request, network, created_at, expires_at)
    values (${row.environmentId}, ${row.id}, ${row.browserHash}, ${row.flowId}, (select id from log), ${row.issuer}, ${row.clientId}, ${row.mcpServerId}, ${row.redirectUri},
      ${json(row.details)}, ${row.network}, ${row.now}, ${row.expiresAt})`);
}

/** How many requests of a network wait, and when the first of them is over. The lock makes parallel callers count one after the other. */
export async function pendingOfNetwork(
  tx: Db,
  by: { environmentId: string; network: string; now: Date },
): Promise<{ count: number; firstEnds: Date | undefined }> {
  await tx.rows(
    sql`select pg_advisory_xact_lock(hashtextextended(${`login ${by.environmentId} ${by.network}`}, 0))::text as locked`,
  );
  const rows = await tx.rows<{ count: number; first_ends: Date | null }>(sql`
    select count(*)::int as count, min(expires_at) as first_ends from login_requests
     where environment_id = ${by.environmentId} and network = ${by.network} and ended_at is null and expires_at > ${by.now}`);
  return { count: rows[0]?.count ?? 0, firstEnds: rows[0]?.first_ends ?? undefined };
}

/** By id, whatever its state. Callers compare the browser before anything else. */
export async function findLoginRequest(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<LoginRequest | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from login_requests where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Clients that a session remembers. */
const MOST_CLIENTS = 100;

type LiveRequest = { environmentId: string; id: string; now: Date };

/** Notes the address that was typed, and locks the row for the rest of the transaction. False when the request is over or decided. */
export async function setLoginEmail(
  db: Db,
  by: LiveRequest & { email: string; emailKey: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    with noted as (
      update login_requests set email = ${by.email}, email_key = ${by.emailKey}
       where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null and expires_at > ${by.now} and decision is null
      returning auth_request_id
    ), log as (
      update auth_requests a set state = 'PENDING', reason = null, email = ${by.email}, email_key = ${by.emailKey}, updated_at = ${by.now}
        from noted where a.environment_id = ${by.environmentId} and a.id = noted.auth_request_id and a.state <> 'SUCCESS'
    )
    select 1 from noted`);
  return rows.length === 1;
}

/** The forced sign-in or choice has happened. False when the request is over. */
export async function setPromptDone(db: Db, by: LiveRequest): Promise<boolean> {
  const rows = await db.rows(sql`
    update login_requests set prompt_done = true
     where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null and expires_at > ${by.now}
    returning id`);
  return rows.length === 1;
}

/**
 * The first decision is the only one: false when there was one before, or the request is over (AS-128). The log and the session
 * learn of it in the same statement.
 */
export async function decideLoginRequest(
  db: Db,
  by: LiveRequest & {
    kind: 'allow' | 'deny';
    digest: Uint8Array;
    sessionId: string;
    code?: { sealed: Uint8Array; hash: Uint8Array } | undefined;
  },
): Promise<boolean> {
  const allowed = by.kind === 'allow';
  const rows = await db.rows(sql`
    with decided as (
      update login_requests set decision = ${by.kind}, decision_digest = ${by.digest}, decided_at = ${by.now}, decided_session_id = ${by.sessionId},
        code_sealed = ${by.code?.sealed}, code_hash = ${by.code?.hash}
       where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null and expires_at > ${by.now} and decision is null
      returning auth_request_id, client_id
    ), log as (
      update auth_requests a set state = ${allowed ? 'SUCCESS' : 'FAILED'}, reason = ${allowed ? undefined : 'access_denied'}, user_id = u.id, email = u.email, email_key = u.email_key,
        organization_id = coalesce(a.organization_id, s.organization_id), updated_at = ${by.now}
        from decided, sessions s join users u on u.environment_id = s.environment_id and u.id = s.user_id
       where a.environment_id = ${by.environmentId} and a.id = decided.auth_request_id and s.environment_id = ${by.environmentId} and s.id = ${by.sessionId}
    ), named as (
      select case c.registration when 'metadata-document' then c.handle else c.id end as client_id
        from decided join clients c on c.environment_id = ${by.environmentId} and c.id = decided.client_id where ${allowed}
    ), noted as (
      update sessions s set authenticated_clients = s.authenticated_clients || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('client_id', named.client_id, 'organization_id', s.organization_id)))
        from named where s.environment_id = ${by.environmentId} and s.id = ${by.sessionId} and jsonb_array_length(s.authenticated_clients) < ${MOST_CLIENTS}
         and not s.authenticated_clients @> jsonb_build_array(jsonb_build_object('client_id', named.client_id))
    )
    select 1 from decided`);
  return rows.length === 1;
}

/** Ends a request for good: nothing of it works any more. False when it was over. */
export async function endLoginRequest(db: Db, by: LiveRequest): Promise<boolean> {
  const rows = await db.rows(sql`
    update login_requests set ended_at = ${by.now}, code_sealed = null
     where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null
    returning id`);
  return rows.length === 1;
}

/** Forgets requests that ended before a moment, of all environments, and the raw codes of those that are over. */
export async function deleteLoginRequests(
  db: Db,
  by: { expiredBefore: Date; now: Date },
): Promise<void> {
  await db.rows(sql`delete from login_requests where expires_at < ${by.expiredBefore}`);
  await db.rows(
    sql`update login_requests set code_sealed = null where code_sealed is not null and expires_at < ${by.now}`,
  );
}
