import { type Db, type Sql, sql } from '../storage/db.ts';

/** One entry of a revocation feed (AS-124): a handle, the `jti` of one token, a withdrawn `kid`, or `before`: `iat` in whole seconds below which nothing is accepted. */
export type RevocationKind = 'handle' | 'jti' | 'kid' | 'before';
export type Revocation = {
  readonly seq: bigint;
  readonly kind: RevocationKind;
  readonly value: string;
  readonly mattersUntil: Date;
  /** When the ending began; it was told, and took effect, a moment later. */
  readonly createdAt: Date;
};

/** Where tokens without an MCP server are remembered; such tokens have no feed, only introspection. */
export const NO_MCP_SERVER = '';

/**
 * What verifiers of one server must still know, the newest first, withdrawn keys before all others: `limit` of each at most.
 * Entries of transactions that have not ended yet are not seen, and get higher numbers than all that are.
 */
export async function listRevocations(
  db: Db,
  by: { environmentId: string; mcpServerId: string; now: Date; limit: number },
): Promise<Revocation[]> {
  const { environmentId, mcpServerId, now, limit } = by;
  const live = sql`environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and seq > 0 and matters_until > ${now}`;
  const rows = await db.rows<{
    seq: bigint;
    kind: RevocationKind;
    value: string;
    matters_until: Date;
    created_at: Date;
  }>(sql`
    (select seq, kind, value, matters_until, created_at from revocations where ${live} and kind = 'kid' order by seq desc limit ${limit})
    union all
    (select seq, kind, value, matters_until, created_at from revocations where ${live} and kind <> 'kid' order by seq desc limit ${limit})`);
  return rows.map((row) => ({
    seq: row.seq,
    kind: row.kind,
    value: row.value,
    mattersUntil: row.matters_until,
    createdAt: row.created_at,
  }));
}

/** Where a server's feed stands. */
export type FeedHead = {
  /** Of the newest entry there ever was; 0 before the first. */
  readonly seq: bigint;
  /**
   * Differs after everything by which the numbers can have gone back: another cluster, a failover or a restart (start time of
   * the database server), another database (its oid), a table that was filled anew (its file).
   */
  readonly origin: string;
};

export async function findFeedHead(
  db: Db,
  by: { environmentId: string; mcpServerId: string },
): Promise<FeedHead> {
  const rows = await db.rows<{ seq: bigint; origin: string }>(sql`
    select coalesce(feed.newest_seq, 0) as seq,
      concat_ws(' ', coalesce(feed.seed::text, 'none'), extract(epoch from pg_postmaster_start_time()), place.oid, pg_relation_filenode('revocation_feeds')) as origin
      from pg_database place left join revocation_feeds feed on feed.environment_id = ${by.environmentId} and feed.mcp_server_id = ${by.mcpServerId}
     where place.datname = current_database()`);
  const row = rows[0];
  if (!row) throw new Error('the database has no name');
  return { seq: row.seq, origin: row.origin };
}

/** Revokes one token by its `jti`; once is enough. */
export async function revokeToken(
  db: Db,
  by: { environmentId: string; mcpServerId: string; jti: string; until: Date; now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
    select ${by.environmentId}, ${by.mcpServerId}, 'jti', ${by.jti}, ${by.until}::timestamptz, ${by.now}::timestamptz
     where not exists (select 1 from revocations where environment_id = ${by.environmentId} and mcp_server_id = ${by.mcpServerId} and kind = 'jti' and value = ${by.jti})
    returning seq`);
  return rows.length === 1;
}

/** Tells the verifiers of every server of the environment that a signing key is withdrawn (AS-18). */
export async function revokeKeys(
  db: Db,
  by: { environmentId: string; kids: readonly string[]; until: Date; now: Date },
): Promise<void> {
  await db.rows(sql`
    insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
    select m.environment_id, m.id, 'kid', k.kid, ${by.until}::timestamptz, ${by.now}::timestamptz
      from mcp_servers m cross join unnest(${by.kids}::text[]) as k (kid) where m.environment_id = ${by.environmentId}`);
}

/** The person, client and session of an application's token: it has no server and no handles, so what it came from is asked. */
export type ApplicationToken = {
  readonly userId: string;
  readonly clientId: string;
  readonly sessionId: string;
};

/** Whether a token is revoked by anything that has been written. */
export async function isRevoked(
  db: Db,
  token: {
    environmentId: string;
    mcpServerId: string;
    jti: string;
    kid: string;
    handles: readonly string[];
    issuedAt: number;
    application?: ApplicationToken | undefined;
  },
): Promise<boolean> {
  const { environmentId, mcpServerId, application } = token;
  const rows = await db.rows<{ revoked: boolean }>(sql`
    select exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'handle' and value = any(${token.handles}::text[]))
      or exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'jti' and value = ${token.jti})
      or exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'kid' and value = ${token.kid})
      or exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'before' and value::bigint > ${BigInt(Math.floor(token.issuedAt))})
      or (${application !== undefined}::boolean and not ${isGranted(environmentId, token.issuedAt, application)}) as revoked`);
  return rows[0]?.revoked !== false;
}

/** A grant that the token can have come from, still alive or replaced by a wider one (AS-46), of a session and person that are not over. */
function isGranted(environmentId: string, issuedAt: number, by: ApplicationToken | undefined): Sql {
  const grant = sql`select 1 from grants g
      join users u on u.environment_id = g.environment_id and u.id = g.user_id and u.enabled
      join sessions se on se.environment_id = g.environment_id and se.id = g.session_id and se.ended_at is null
     where g.environment_id = ${environmentId} and g.user_id = ${by?.userId} and g.client_id = ${by?.clientId} and g.session_id = ${by?.sessionId} and g.mcp_server_id is null
       and g.created_at < ${new Date((issuedAt + 1) * 1000)}`;
  return sql`(exists (${grant} and g.ended_at is null) or exists (${grant} and g.ended_at is not null and g.ended_because = 'replaced'))`;
}

/** Forgets what no token can be alive for. */
export async function forgetEndedRevocations(db: Db, now: Date): Promise<void> {
  await db.rows(sql`delete from revocations where matters_until <= ${now}`);
}
