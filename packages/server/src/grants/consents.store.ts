import { type Db, sql } from '../storage/db.ts';

/** What one person allowed one client at one MCP server (or application), by one redirect URI. */
export type Consent = {
  readonly id: string;
  readonly userId: string;
  readonly clientId: string;
  readonly mcpServerId: string | undefined;
  readonly organizationId: string | undefined;
  readonly redirectUri: string;
  readonly resource: string | undefined;
  readonly scopes: readonly string[];
  readonly remembered: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
};

/** All of what must be equal for a consent to be the same one (AS-131). */
export type ConsentKey = {
  readonly environmentId: string;
  readonly userId: string;
  readonly clientId: string;
  readonly mcpServerId?: string | undefined;
  readonly organizationId?: string | undefined;
  /** The exact URI of the request, port included. */
  readonly redirectUri: string;
  /** Only where the MCP server has no Server URL. */
  readonly resource?: string | undefined;
};

type Row = {
  id: string;
  user_id: string;
  client_id: string;
  mcp_server_id: string | null;
  organization_id: string | null;
  redirect_uri: string;
  resource: string | null;
  scopes: string[];
  remembered: boolean;
  created_at: Date;
  updated_at: Date;
  last_used_at: Date | null;
  revoked_at: Date | null;
};

const columns = sql`c.id, c.user_id, c.client_id, c.mcp_server_id, c.organization_id, c.redirect_uri, c.resource, c.scopes, c.remembered, c.created_at, c.updated_at, c.last_used_at, c.revoked_at`;

function fromRow(row: Row): Consent {
  return {
    id: row.id,
    userId: row.user_id,
    clientId: row.client_id,
    mcpServerId: row.mcp_server_id ?? undefined,
    organizationId: row.organization_id ?? undefined,
    redirectUri: row.redirect_uri,
    resource: row.resource ?? undefined,
    scopes: row.scopes,
    remembered: row.remembered,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastUsedAt: row.last_used_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
  };
}

const sameKey = (
  key: ConsentKey,
) => sql`c.environment_id = ${key.environmentId} and c.user_id = ${key.userId} and c.client_id = ${key.clientId}
  and c.mcp_server_id is not distinct from ${key.mcpServerId}::text and c.organization_id is not distinct from ${key.organizationId}::text
  and c.redirect_uri = ${key.redirectUri} and c.resource is not distinct from ${key.resource}::text`;

/** A live remembered consent with this key, made when the client was the same, that has every scope asked for. */
export async function findRememberedConsent(
  db: Db,
  by: ConsentKey & { readonly scopes: readonly string[]; readonly clientDigest: Uint8Array },
): Promise<Consent | undefined> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from consents c
     where ${sameKey(by)} and c.revoked_at is null and c.remembered and c.client_digest = ${by.clientDigest} and c.scopes @> ${by.scopes}::text[]
     order by c.updated_at desc limit 1`);
  return rows[0] && fromRow(rows[0]);
}

/**
 * Writes what the person has just decided: the live consent with this key gets the new scopes and digest, or a new one is made.
 * Returns its id. Consents that were withdrawn stay as they are.
 */
export async function upsertConsent(
  db: Db,
  by: ConsentKey & {
    /** For a new row: usrcnst_ and digits. */
    readonly id: string;
    readonly scopes: readonly string[];
    readonly clientDigest: Uint8Array;
    readonly remembered: boolean;
    readonly now: Date;
  },
): Promise<string> {
  const rows = await db.rows<{ id: string }>(sql`
    with updated as (
      update consents c set scopes = ${by.scopes}, client_digest = ${by.clientDigest}, remembered = ${by.remembered}, updated_at = ${by.now}, last_used_at = ${by.now}
       where ${sameKey(by)} and c.revoked_at is null
      returning c.id
    ), added as (
      insert into consents (environment_id, id, user_id, client_id, mcp_server_id, organization_id, redirect_uri, resource, scopes, client_digest, remembered, created_at, updated_at, last_used_at)
      select ${by.environmentId}, ${by.id}, ${by.userId}, ${by.clientId}, ${by.mcpServerId}::text, ${by.organizationId}::text, ${by.redirectUri}, ${by.resource}::text, ${by.scopes}::text[],
        ${by.clientDigest}::bytea, ${by.remembered}::boolean, ${by.now}::timestamptz, ${by.now}::timestamptz, ${by.now}::timestamptz
       where not exists (select 1 from updated)
      returning id
    )
    select id from updated union all select id from added limit 1`);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('a consent was not written');
  return id;
}

/** A remembered consent was used once more. */
export async function touchConsent(
  db: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<void> {
  await db.rows(
    sql`update consents set last_used_at = ${by.now} where environment_id = ${by.environmentId} and id = ${by.id} and revoked_at is null`,
  );
}

export async function findConsent(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<Consent | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from consents c where c.environment_id = ${by.environmentId} and c.id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Live consents, newest first (AS-134). Give a person, a client or a server, or several of them. */
export async function listConsents(
  db: Db,
  by: {
    environmentId: string;
    userId?: string | undefined;
    clientId?: string | undefined;
    mcpServerId?: string | undefined;
    after?: string | undefined;
    limit: number;
  },
): Promise<Consent[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from consents c
     where c.environment_id = ${by.environmentId} and c.revoked_at is null
       ${by.userId === undefined ? sql`` : sql`and c.user_id = ${by.userId}`}
       ${by.clientId === undefined ? sql`` : sql`and c.client_id = ${by.clientId}`}
       ${by.mcpServerId === undefined ? sql`` : sql`and c.mcp_server_id = ${by.mcpServerId}`}
       ${by.after === undefined ? sql`` : sql`and c.id < ${by.after}`}
     order by c.id desc limit ${by.limit}`);
  return rows.map(fromRow);
}

/** Marks a consent as withdrawn; undefined when it was so already or is another person's. The grants are the caller's to end, in the same transaction. */
export async function markConsentRevoked(
  db: Db,
  by: {
    environmentId: string;
    id: string;
    userId?: string | undefined;
    because: string;
    now: Date;
  },
): Promise<Consent | undefined> {
  const rows = await db.rows<Row>(sql`
    update consents c set revoked_at = ${by.now}, revoked_because = ${by.because}, remembered = false
     where c.environment_id = ${by.environmentId} and c.id = ${by.id} and c.revoked_at is null and (${by.userId}::text is null or c.user_id = ${by.userId}) returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Asks everybody again: the client is no longer what they knew (AS-68, AS-82). What was granted stays. */
export async function forgetRememberedConsents(
  db: Db,
  by: { environmentId: string; clientId: string },
): Promise<number> {
  const rows = await db.rows(sql`
    update consents set remembered = false where environment_id = ${by.environmentId} and client_id = ${by.clientId} and remembered and revoked_at is null returning id`);
  return rows.length;
}
