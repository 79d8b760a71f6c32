import { type Event, eventSql } from '../events/events.ts';
import { type Db, type Sql, sql } from '../storage/db.ts';
import { mattersUntil, oldestLiveToken } from './revocation-handles.ts';

export type AuthMethod = 'none' | 'secret' | 'assertion';

/** One consent of one person for one client and server, with its refresh family and its access tokens. */
export type Grant = {
  readonly id: string;
  readonly flowId: string;
  readonly consentId: string | undefined;
  readonly userId: string;
  readonly clientId: string;
  readonly mcpServerId: string | undefined;
  readonly organizationId: string | undefined;
  readonly sessionId: string;
  /** The browser in which it was allowed (AS-46). */
  readonly browserHash: Uint8Array;
  readonly issuer: string;
  readonly redirectUri: string;
  readonly resource: string | undefined;
  readonly scopes: readonly string[];
  /** How the client proved itself when the code was redeemed (AS-76). */
  readonly authMethod: AuthMethod;
  readonly authenticatedAt: Date;
  readonly revocationHandle: string;
  readonly createdAt: Date;
  readonly absoluteExpiresAt: Date;
  readonly lastUsedAt: Date;
  readonly endedAt: Date | undefined;
  readonly endedBecause: string | undefined;
};

export type EndedGrant = {
  readonly id: string;
  readonly userId: string;
  readonly clientId: string;
  readonly flowId: string;
};
type EndedRow = { id: string; user_id: string; client_id: string; flow_id: string };

/** Who or what ends grants, and as what it is remembered. */
export type Ending = {
  readonly environmentId: string;
  readonly because: string;
  readonly now: Date;
};

/** Ends one grant: its refresh family, and its access tokens through the feed (AS-124), in one statement with the event. */
export async function endGrantRow(
  db: Db,
  by: Ending & { readonly grantId: string; readonly event: Event },
): Promise<EndedGrant | undefined> {
  const ended = await endWithHandles(db, by, sql`g.id = ${by.grantId}`, by.event);
  return ended[0];
}

/** The grants of one consent, with those that a wider one has replaced: their access tokens may still live (AS-134). */
export async function endGrantRowsOfConsent(
  db: Db,
  by: Ending & { readonly consentId: string; readonly userId: string; readonly event: Event },
): Promise<EndedGrant[]> {
  return await endWithHandles(
    db,
    by,
    sql`g.user_id = ${by.userId} and g.consent_id = ${by.consentId}`,
    by.event,
    true,
  );
}

/** The grants that browser sessions of one person made (AS-114). */
export async function endGrantRowsOfSessions(
  db: Db,
  by: Ending & {
    readonly sessionIds: readonly string[];
    readonly userId: string;
    readonly event: Event;
  },
): Promise<EndedGrant[]> {
  return await endWithHandles(
    db,
    by,
    sql`g.user_id = ${by.userId} and g.session_id = any(${by.sessionIds}::text[])`,
    by.event,
    true,
  );
}

async function endWithHandles(
  db: Db,
  by: Ending,
  which: Sql,
  event: Event,
  always = false,
): Promise<EndedGrant[]> {
  const rows = await db.rows<EndedRow>(sql`
    with ended as (
      update grants g set ended_at = ${by.now}, ended_because = ${by.because}
       where g.environment_id = ${by.environmentId} and ${which} and (g.ended_at is null or (g.ended_because = 'replaced' and g.last_used_at > ${oldestLiveToken(by.now)}))
      returning g.environment_id, g.id, g.user_id, g.client_id, g.flow_id, g.mcp_server_id, g.revocation_handle
    ), told as (
      insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
      select environment_id, mcp_server_id, 'handle', revocation_handle, ${mattersUntil(by.now)}::timestamptz, ${by.now}::timestamptz from ended where mcp_server_id is not null
    ), family as (
      ${revokeFamilies(by)}
    ), event as (
      ${eventSql(event)} ${always ? sql`` : sql`where exists (select 1 from ended)`}
    )
    select id, user_id, client_id, flow_id from ended`);
  return rows.map(endedFrom);
}

/**
 * Everything a person allowed, at all servers: one entry with the person's handle for each server where tokens may live, and a
 * new secret behind the handles, so that what is issued later is not refused with them.
 */
export async function endGrantRowsOfUser(
  db: Db,
  by: Ending & { readonly userId: string; readonly newSecret: Uint8Array; readonly event: Event },
): Promise<EndedGrant[]> {
  return await endWithSecret(db, by, {
    table: sql`users`,
    id: by.userId,
    column: sql`g.user_id`,
    own: sql`null::text`,
  });
}

/**
 * The same for people who are about to be deleted, and whose rows are locked: nobody needs a new secret, and there is no event
 * of its own. One statement, however many people.
 */
export async function endGrantRowsOfUsers(
  db: Db,
  by: Ending & { readonly userIds: readonly string[] },
): Promise<void> {
  await db.rows(sql`
    with places as (
      select distinct g.user_id, g.mcp_server_id as id from grants g
       where g.environment_id = ${by.environmentId} and g.user_id = any(${by.userIds}::text[]) and g.mcp_server_id is not null and (g.ended_at is null or g.last_used_at > ${oldestLiveToken(by.now)})
    ), told as (
      insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
      select ${by.environmentId}, places.id, 'handle', ${handleSql(sql`u.revocation_secret`, sql`places.id`)}, ${mattersUntil(by.now)}::timestamptz, ${by.now}::timestamptz
        from places join users u on u.environment_id = ${by.environmentId} and u.id = places.user_id
    ), ended as (
      update grants g set ended_at = ${by.now}, ended_because = ${by.because}
       where g.environment_id = ${by.environmentId} and g.user_id = any(${by.userIds}::text[]) and g.ended_at is null
      returning g.environment_id, g.id
    )
    ${revokeFamilies(by)}`);
}

/** What people allowed in one organization that they leave: grants, refresh families, and access tokens through the feed. */
export async function endGrantRowsInOrganization(
  db: Db,
  by: Ending & { readonly organizationId: string; readonly userIds: readonly string[] },
): Promise<void> {
  await db.rows(sql`
    with ended as (
      update grants g set ended_at = ${by.now}, ended_because = ${by.because}
       where g.environment_id = ${by.environmentId} and g.user_id = any(${by.userIds}::text[]) and g.organization_id = ${by.organizationId}
         and (g.ended_at is null or (g.ended_because = 'replaced' and g.last_used_at > ${oldestLiveToken(by.now)}))
      returning g.environment_id, g.id, g.mcp_server_id, g.revocation_handle
    ), told as (
      insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
      select environment_id, mcp_server_id, 'handle', revocation_handle, ${mattersUntil(by.now)}::timestamptz, ${by.now}::timestamptz from ended where mcp_server_id is not null
    )
    ${revokeFamilies(by)}`);
}

/** The same for a client, machine tokens of its own server included. */
export async function endGrantRowsOfClient(
  db: Db,
  by: Ending & { readonly clientId: string; readonly newSecret: Uint8Array; readonly event: Event },
): Promise<EndedGrant[]> {
  return await endWithSecret(db, by, {
    table: sql`clients`,
    id: by.clientId,
    column: sql`g.client_id`,
    own: sql`mcp_server_id`,
  });
}

async function endWithSecret(
  db: Db,
  by: Ending & { readonly newSecret: Uint8Array; readonly event: Event },
  party: { readonly table: Sql; readonly id: string; readonly column: Sql; readonly own: Sql },
): Promise<EndedGrant[]> {
  const { table, id, column, own } = party;
  return await db.transaction(async (tx) => {
    // A redemption that holds the row makes a grant which only a later statement sees.
    await tx.rows(
      sql`select id from ${table} where environment_id = ${by.environmentId} and id = ${id} for update`,
    );
    const rows = await tx.rows<EndedRow>(sql`
      with party as (
        select revocation_secret, ${own} as own_server from ${table} where environment_id = ${by.environmentId} and id = ${id}
      ), places as (
        select distinct g.mcp_server_id as id from grants g
         where g.environment_id = ${by.environmentId} and ${column} = ${id} and g.mcp_server_id is not null and (g.ended_at is null or g.last_used_at > ${oldestLiveToken(by.now)})
        union select own_server from party
      ), told as (
        insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
        select ${by.environmentId}, places.id, 'handle', ${handleSql(sql`party.revocation_secret`, sql`places.id`)}, ${mattersUntil(by.now)}::timestamptz, ${by.now}::timestamptz
          from party, places where places.id is not null
      ), ended as (
        update grants g set ended_at = ${by.now}, ended_because = ${by.because}
         where g.environment_id = ${by.environmentId} and ${column} = ${id} and g.ended_at is null
        returning g.environment_id, g.id, g.user_id, g.client_id, g.flow_id
      ), family as (
        ${revokeFamilies(by)}
      ), renewed as (
        update ${table} set revocation_secret = ${by.newSecret}, row_version = row_version + 1 where environment_id = ${by.environmentId} and id = ${id}
      ), event as (
        ${eventSql(by.event)}
      )
      select id, user_id, client_id, flow_id from ended`);
    return rows.map(endedFrom);
  });
}

/** All grants for one MCP server; `revokeAllOfServer` goes with it (AS-13). */
export async function endGrantRowsOfServer(
  db: Db,
  by: Ending & { readonly mcpServerId: string; readonly event: Event },
): Promise<EndedGrant[]> {
  const rows = await db.rows<EndedRow>(sql`
    with ended as (
      update grants g set ended_at = ${by.now}, ended_because = ${by.because}
       where g.environment_id = ${by.environmentId} and g.mcp_server_id = ${by.mcpServerId} and g.ended_at is null
      returning g.environment_id, g.id, g.user_id, g.client_id, g.flow_id
    ), family as (
      ${revokeFamilies(by)}
    ), event as (
      ${eventSql(by.event)}
    )
    select id, user_id, client_id, flow_id from ended`);
  return rows.map(endedFrom);
}

/**
 * The entry "everything issued before" in a server's feed. `now` is read after all waiting is over: what was issued while the
 * transaction waited for locks is meant too.
 */
export async function revokeAllOfServer(
  db: Db,
  by: { readonly environmentId: string; readonly mcpServerId: string; readonly now: Date },
): Promise<void> {
  await db.rows(sql`
    insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
    values (${by.environmentId}, ${by.mcpServerId}, 'before', ${revokedBeforeValue(by.now)}, ${mattersUntil(by.now)}, ${by.now})`);
}

/** "Everything issued before now", in whole seconds: a token is meant when its `iat` is smaller. `iat` is rounded down, so this is rounded up. */
export function revokedBeforeValue(now: Date): string {
  return String(Math.floor(now.getTime() / 1000) + 1);
}

/** The same as `revocationHandle`, computed where the secret is stored. */
function handleSql(secret: Sql, mcpServerId: Sql): Sql {
  return sql`rtrim(translate(encode(substring(sha256(${secret} || convert_to(${mcpServerId}, 'UTF8')) from 1 for 16), 'base64'), '+/', '-_'), '=')`;
}

function revokeFamilies(by: Ending): Sql {
  return sql`update refresh_tokens t set revoked_at = ${by.now}, salt = null from ended
    where t.environment_id = ended.environment_id and t.grant_id = ended.id and t.revoked_at is null`;
}

function endedFrom(row: EndedRow): EndedGrant {
  return { id: row.id, userId: row.user_id, clientId: row.client_id, flowId: row.flow_id };
}

/** Grants with their state, newest first; give a person, a client or a server. Only live ones. */
export async function listGrants(
  db: Db,
  by: {
    environmentId: string;
    userId?: string | undefined;
    clientId?: string | undefined;
    mcpServerId?: string | undefined;
    consentId?: string | undefined;
    after?: string | undefined;
    limit: number;
  },
): Promise<Grant[]> {
  const rows = await db.rows<GrantRow>(sql`
    select ${grantColumns} from grants x
     where x.environment_id = ${by.environmentId} and x.ended_at is null
       ${by.userId === undefined ? sql`` : sql`and x.user_id = ${by.userId}`}
       ${by.clientId === undefined ? sql`` : sql`and x.client_id = ${by.clientId}`}
       ${by.mcpServerId === undefined ? sql`` : sql`and x.mcp_server_id = ${by.mcpServerId}`}
       ${by.consentId === undefined ? sql`` : sql`and x.consent_id = ${by.consentId}`}
       ${by.after === undefined ? sql`` : sql`and x.id < ${by.after}`}
     order by x.id desc limit ${by.limit}`);
  return rows.map(grantFrom);
}

/** The live grant that a token with one of these handles came from. */
export async function findGrantByHandle(
  db: Db,
  by: { environmentId: string; userId: string; handles: readonly string[] },
): Promise<Grant | undefined> {
  const rows = await db.rows<GrantRow>(sql`
    select ${grantColumns} from grants x
     where x.environment_id = ${by.environmentId} and x.user_id = ${by.userId} and x.ended_at is null and x.revocation_handle = any(${by.handles}::text[]) limit 1`);
  return rows[0] && grantFrom(rows[0]);
}

export type GrantRow = {
  grant_id: string;
  flow_id: string;
  consent_id: string | null;
  user_id: string;
  client_id: string;
  mcp_server_id: string | null;
  organization_id: string | null;
  session_id: string;
  browser_hash: Uint8Array;
  issuer: string;
  redirect_uri: string;
  resource: string | null;
  scopes: string[];
  auth_method: AuthMethod;
  authenticated_at: Date;
  revocation_handle: string;
  created_at: Date;
  absolute_expires_at: Date;
  last_used_at: Date;
  ended_at: Date | null;
  ended_because: string | null;
};

/** Columns of a grant `x`, as `grantFrom` reads them. */
export const grantColumns: Sql = sql`x.id as grant_id, x.flow_id, x.consent_id, x.user_id, x.client_id, x.mcp_server_id, x.organization_id, x.session_id, x.browser_hash, x.issuer, x.redirect_uri,
  x.resource, x.scopes, x.auth_method, x.authenticated_at, x.revocation_handle, x.created_at, x.absolute_expires_at, x.last_used_at, x.ended_at, x.ended_because`;

export function grantFrom(row: GrantRow): Grant {
  return {
    id: row.grant_id,
    flowId: row.flow_id,
    consentId: row.consent_id ?? undefined,
    userId: row.user_id,
    clientId: row.client_id,
    mcpServerId: row.mcp_server_id ?? undefined,
    organizationId: row.organization_id ?? undefined,
    sessionId: row.session_id,
    browserHash: row.browser_hash,
    issuer: row.issuer,
    redirectUri: row.redirect_uri,
    resource: row.resource ?? undefined,
    scopes: row.scopes,
    authMethod: row.auth_method,
    authenticatedAt: row.authenticated_at,
    revocationHandle: row.revocation_handle,
    createdAt: row.created_at,
    absoluteExpiresAt: row.absolute_expires_at,
    lastUsedAt: row.last_used_at,
    endedAt: row.ended_at ?? undefined,
    endedBecause: row.ended_because ?? undefined,
  };
}
