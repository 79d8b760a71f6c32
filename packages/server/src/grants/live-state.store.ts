import { type Sql, sql } from '../storage/db.ts';

/** What a code or grant depends on, as it is in the database at this moment and not as a cache remembers it (AS-97, AS-114). */
export type LiveState = {
  /** Why nothing may be issued any more; absent when everything is in order. */
  readonly ended: 'user' | 'client' | 'server' | 'consent' | 'session' | undefined;
  readonly user: { readonly email: string; readonly emailVerified: boolean; readonly name: string };
  /** What interceptors said of the session; empty when its row is gone. */
  readonly customClaims: Readonly<Record<string, unknown>>;
  /** Who the person is where an application's own login vouches for them, and what it said. */
  readonly partner: PartnerClaims | undefined;
  /** Secrets behind the handles in access tokens. Empty when the row is gone; `ended` is set then. */
  readonly userSecret: Uint8Array;
  readonly clientSecret: Uint8Array;
};

/** What an application's own login says of a person, for tokens. */
export type PartnerClaims = {
  readonly subject: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** The application's own name for the organization. */
  readonly organization: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
};

type StoredClaims = {
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
  readonly xoid?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
};

export type LiveRow = {
  user_email: string | null;
  user_name: string | null;
  user_verified: boolean;
  user_secret: Uint8Array | null;
  client_secret: Uint8Array | null;
  user_live: boolean;
  client_live: boolean;
  server_live: boolean;
  consent_live: boolean;
  session_live: boolean;
  session_claims: Readonly<Record<string, unknown>> | null;
  partner_subject: string | null;
  partner_claims: StoredClaims | null;
};

/**
 * Columns and joins that read the live state beside a row `x` with the columns of a code or grant. Signing out in a browser
 * ends what applications got from that session; an MCP client keeps working until an administrator revokes the session.
 */
export const liveColumns: Sql = sql`
  u.email as user_email, u.name as user_name, u.email_verified_at is not null as user_verified, u.revocation_secret as user_secret,
  cl.revocation_secret as client_secret, se.custom_claims as session_claims, pp.subject as partner_subject, pp.claims as partner_claims,
  coalesce(u.enabled, false) as user_live,
  coalesce(cl.enabled and cl.deleted_at is null, false) as client_live,
  (x.mcp_server_id is null or coalesce(m.enabled and m.deleted_at is null, false)) as server_live,
  case when x.mcp_server_id is null then co.revoked_at is null else coalesce(co.id is not null and co.revoked_at is null, false) end as consent_live,
  case when x.mcp_server_id is null then coalesce(se.ended_at is null and se.id is not null, false) else not coalesce(se.ended_because in ('revoked', 'admin'), false) end as session_live`;

export const liveJoins: Sql = sql`
  left join users u on u.environment_id = x.environment_id and u.id = x.user_id
  left join clients cl on cl.environment_id = x.environment_id and cl.id = x.client_id
  left join mcp_servers m on m.environment_id = x.environment_id and m.id = x.mcp_server_id
  left join consents co on co.environment_id = x.environment_id and co.id = x.consent_id
  left join sessions se on se.environment_id = x.environment_id and se.id = x.session_id
  left join partner_people pp on pp.environment_id = x.environment_id and pp.user_id = x.user_id`;

export function liveStateFrom(row: LiveRow): LiveState {
  return {
    ended: endedBy(row),
    user: {
      email: row.user_email ?? '',
      emailVerified: row.user_verified,
      name: row.user_name ?? '',
    },
    customClaims: row.session_claims ?? {},
    partner: partnerFrom(row),
    userSecret: row.user_secret ?? new Uint8Array(),
    clientSecret: row.client_secret ?? new Uint8Array(),
  };
}

function partnerFrom({ partner_subject: subject, partner_claims: said }: LiveRow) {
  if (subject === null) return undefined;
  const { roles = [], groups = [], xoid, attributes = {} } = said ?? {};
  return { subject, roles, groups, organization: xoid, attributes };
}

function endedBy(row: LiveRow): LiveState['ended'] {
  if (!row.user_live) return 'user';
  if (!row.client_live) return 'client';
  if (!row.server_live) return 'server';
  if (!row.consent_live) return 'consent';
  return row.session_live ? undefined : 'session';
}

/** What a new grant rests on, as it was when its request was checked. */
export type Basis = {
  readonly environmentId: string;
  readonly userId: string;
  readonly clientId: string;
  readonly mcpServerId: string | undefined;
  readonly consentId: string;
  readonly sessionId: string;
  /** The secrets whose handles are in the token just signed: with another one, that token is revoked already. */
  readonly userSecret: Uint8Array;
  readonly clientSecret: Uint8Array;
};

/**
 * The live state once more, in the statement that makes a grant: `locks` are its CTEs, `holds` the condition. The share locks
 * make whoever ends something of it at the same time either wait and then end this grant too, or prevent it. Both say the same as
 * `liveColumns`.
 */
export function lockedBasis(by: Basis): { readonly locks: Sql; readonly holds: Sql } {
  const ofMcpServer = by.mcpServerId !== undefined;
  return {
    locks: sql`person as (
      select id from users where environment_id = ${by.environmentId} and id = ${by.userId} and enabled and revocation_secret = ${by.userSecret} for share
    ), client as (
      select id from clients where environment_id = ${by.environmentId} and id = ${by.clientId} and enabled and deleted_at is null and revocation_secret = ${by.clientSecret} for share
    ), server as (
      select id from mcp_servers where environment_id = ${by.environmentId} and id = ${by.mcpServerId} and enabled and deleted_at is null for share
    ), consent as (
      select revoked_at from consents where environment_id = ${by.environmentId} and id = ${by.consentId} for share
    ), session as (
      select ended_at, ended_because from sessions where environment_id = ${by.environmentId} and id = ${by.sessionId} for share
    )`,
    holds: ofMcpServer
      ? sql`exists (select 1 from person) and exists (select 1 from client) and exists (select 1 from server)
          and exists (select 1 from consent where revoked_at is null) and not exists (select 1 from session where ended_because in ('revoked', 'admin'))`
      : sql`exists (select 1 from person) and exists (select 1 from client)
          and not exists (select 1 from consent where revoked_at is not null) and exists (select 1 from session where ended_at is null)`,
  };
}
