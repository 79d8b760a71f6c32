import { type Event, eventSql } from '../events/events.ts';
import { type Db, sql } from '../storage/db.ts';
import {
  type Basis,
  type LiveRow,
  type LiveState,
  liveColumns,
  liveJoins,
  liveStateFrom,
  lockedBasis,
} from './live-state.store.ts';

/** A code as it is issued: everything the token endpoint will compare or put into tokens (AS-94). */
export type AuthorizationCode = {
  readonly environmentId: string;
  /** SHA-256 of the code. */
  readonly codeHash: Uint8Array;
  readonly flowId: string;
  readonly loginRequestId: string;
  /** Of the authorization endpoint that was used: E or R. */
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  /** Whether the client sent it, or its only registered one was taken. */
  readonly redirectUriGiven: boolean;
  readonly codeChallenge?: string | undefined;
  readonly userId: string;
  readonly sessionId: string;
  readonly browserHash: Uint8Array;
  readonly consentId: string;
  readonly mcpServerId?: string | undefined;
  readonly organizationId?: string | undefined;
  /** What was asked for, where the MCP server has no Server URL (AS-38). */
  readonly resource?: string | undefined;
  readonly scopes: readonly string[];
  readonly nonce?: string | undefined;
  readonly authenticatedAt: Date;
  readonly createdAt: Date;
  readonly expiresAt: Date;
};

export type StoredCode = AuthorizationCode & {
  readonly failures: number;
  readonly consumedAt: Date | undefined;
  readonly grantId: string | undefined;
  readonly live: LiveState;
};

/** Failed checks that a code survives; the next one ends it (AS-95). */
export const MOST_CODE_FAILURES = 10;

type Row = LiveRow & {
  flow_id: string;
  login_request_id: string;
  issuer: string;
  client_id: string;
  redirect_uri: string;
  redirect_uri_given: boolean;
  code_challenge: string | null;
  user_id: string;
  session_id: string;
  browser_hash: Uint8Array;
  consent_id: string;
  mcp_server_id: string | null;
  organization_id: string | null;
  resource: string | null;
  scopes: string[];
  nonce: string | null;
  authenticated_at: Date;
  created_at: Date;
  expires_at: Date;
  failures: number;
  consumed_at: Date | null;
  grant_id: string | null;
};

export async function insertAuthorizationCode(db: Db, code: AuthorizationCode): Promise<void> {
  await db.rows(sql`
    insert into authorization_codes (environment_id, code_hash, flow_id, login_request_id, issuer, client_id, redirect_uri, redirect_uri_given, code_challenge, user_id, session_id,
      browser_hash, consent_id, mcp_server_id, organization_id, resource, scopes, nonce, authenticated_at, created_at, expires_at)
    values (${code.environmentId}, ${code.codeHash}, ${code.flowId}, ${code.loginRequestId}, ${code.issuer}, ${code.clientId}, ${code.redirectUri}, ${code.redirectUriGiven},
      ${code.codeChallenge}, ${code.userId}, ${code.sessionId}, ${code.browserHash}, ${code.consentId}, ${code.mcpServerId}, ${code.organizationId}, ${code.resource}, ${code.scopes},
      ${code.nonce}, ${code.authenticatedAt}, ${code.createdAt}, ${code.expiresAt})`);
}

/** The code, used and expired ones too, with the live state of what it depends on. */
export async function findAuthorizationCode(
  db: Db,
  by: { environmentId: string; codeHash: Uint8Array },
): Promise<StoredCode | undefined> {
  const rows = await db.rows<Row>(sql`
    select x.flow_id, x.login_request_id, x.issuer, x.client_id, x.redirect_uri, x.redirect_uri_given, x.code_challenge, x.user_id, x.session_id, x.browser_hash, x.consent_id,
      x.mcp_server_id, x.organization_id, x.resource, x.scopes, x.nonce, x.authenticated_at, x.created_at, x.expires_at, x.failures, x.consumed_at, x.grant_id, ${liveColumns}
      from authorization_codes x ${liveJoins}
     where x.environment_id = ${by.environmentId} and x.code_hash = ${by.codeHash}`);
  const row = rows[0];
  return row && { ...by, ...fromRow(row), live: liveStateFrom(row) };
}

function fromRow(row: Row): Omit<StoredCode, 'environmentId' | 'codeHash' | 'live'> {
  return {
    flowId: row.flow_id,
    loginRequestId: row.login_request_id,
    issuer: row.issuer,
    clientId: row.client_id,
    redirectUri: row.redirect_uri,
    redirectUriGiven: row.redirect_uri_given,
    codeChallenge: row.code_challenge ?? undefined,
    userId: row.user_id,
    sessionId: row.session_id,
    browserHash: row.browser_hash,
    consentId: row.consent_id,
    mcpServerId: row.mcp_server_id ?? undefined,
    organizationId: row.organization_id ?? undefined,
    resource: row.resource ?? undefined,
    scopes: row.scopes,
    nonce: row.nonce ?? undefined,
    authenticatedAt: row.authenticated_at,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    failures: row.failures,
    consumedAt: row.consumed_at ?? undefined,
    grantId: row.grant_id ?? undefined,
  };
}

/** Counts a failed check. The code stays usable until the count is full (AS-95). */
export async function countCodeFailure(
  db: Db,
  by: { environmentId: string; codeHash: Uint8Array },
): Promise<void> {
  await db.rows(sql`
    update authorization_codes set failures = failures + 1
     where environment_id = ${by.environmentId} and code_hash = ${by.codeHash} and consumed_at is null`);
}

export type Redemption = Basis & {
  readonly codeHash: Uint8Array;
  readonly grantId: string;
  readonly revocationHandle: string;
  readonly authMethod: 'none' | 'secret' | 'assertion';
  readonly absoluteExpiresAt: Date;
  readonly refreshToken:
    | { readonly id: string; readonly tokenHash: Uint8Array; readonly idleExpiresAt: Date }
    | undefined;
  readonly event: Event;
  readonly now: Date;
};

/**
 * Uses a code up and makes its grant: of any number of concurrent callers exactly one gets true (AS-95). The same statement ends
 * the narrower grant that this one widens in the same browser (AS-46), and erases the copy of the code in the flow's row.
 *
 * Whatever ends person, client, server, consent or session at the same time either ends this grant too or prevents it.
 */
export async function redeemAuthorizationCode(db: Db, by: Redemption): Promise<boolean> {
  const { refreshToken } = by;
  const { locks, holds } = lockedBasis(by);
  const made = await db.rows(sql`
    with ${locks}, code as (
      update authorization_codes c set consumed_at = ${by.now}, grant_id = ${by.grantId}
       where c.environment_id = ${by.environmentId} and c.code_hash = ${by.codeHash} and c.consumed_at is null and c.failures < ${MOST_CODE_FAILURES} and c.expires_at > ${by.now}
         and ${holds}
      returning c.environment_id, c.flow_id, c.login_request_id, c.issuer, c.client_id, c.redirect_uri, c.user_id, c.session_id, c.browser_hash, c.consent_id, c.mcp_server_id, c.organization_id,
        c.resource, c.scopes, c.authenticated_at, c.grant_id
    ), replaced as (
      update grants g set ended_at = ${by.now}, ended_because = 'replaced' from code
       where g.environment_id = ${by.environmentId} and g.user_id = ${by.userId} and g.client_id = ${by.clientId} and g.mcp_server_id is not distinct from ${by.mcpServerId}::text
         and g.browser_hash = code.browser_hash and g.ended_at is null and g.scopes <@ code.scopes and not code.scopes <@ g.scopes
    ), made as (
      insert into grants (environment_id, id, flow_id, consent_id, user_id, client_id, mcp_server_id, organization_id, session_id, browser_hash, issuer, redirect_uri, resource, scopes,
        auth_method, authenticated_at, revocation_handle, created_at, absolute_expires_at, last_used_at)
      select environment_id, grant_id, flow_id, consent_id, user_id, client_id, mcp_server_id, organization_id, session_id, browser_hash, issuer, redirect_uri, resource, scopes,
        ${by.authMethod}, authenticated_at, ${by.revocationHandle}, ${by.now}::timestamptz, ${by.absoluteExpiresAt}::timestamptz, ${by.now}::timestamptz from code
      returning environment_id, id, client_id
    ), first_token as (
      insert into refresh_tokens (environment_id, id, grant_id, client_id, generation, token_hash, created_at, idle_expires_at)
      select environment_id, ${refreshToken?.id}::text, id, client_id, 1, ${refreshToken?.tokenHash}::bytea, ${by.now}::timestamptz, ${refreshToken?.idleExpiresAt}::timestamptz
        from made where ${refreshToken !== undefined}::boolean
    ), flow as (
      update login_requests l set code_sealed = null from code
       where l.environment_id = ${by.environmentId} and l.id = code.login_request_id and l.code_sealed is not null
    ), event as (
      ${eventSql(by.event)} where exists (select 1 from made)
    )
    select id from made`);
  return made.length === 1;
}
