import { type Db, sql } from '../storage/db.ts';

/** One entry of a revocation feed (AS-124): a handle, the `jti` of one token, a withdrawn `kid`, or `before`: `iat` in whole seconds below which nothing is accepted. */
export type RevocationKind = 'handle' | 'jti' | 'kid' | 'before';
export type Revocation = {
  readonly seq: bigint;
  readonly kind: RevocationKind;
  readonly value: string;
  readonly mattersUntil: Date;
};

/** Where tokens without an MCP server are remembered; such tokens have no feed, only introspection. */
export const NO_MCP_SERVER = '';

/** What verifiers of one server must still know, in order; `after` gives only newer entries. */
export async function listRevocations(
  db: Db,
  by: {
    environmentId: string;
    mcpServerId: string;
    now: Date;
    after?: bigint | undefined;
    limit: number;
  },
): Promise<Revocation[]> {
  const rows = await db.rows<{
    seq: bigint;
    kind: RevocationKind;
    value: string;
    matters_until: Date;
  }>(sql`
    select seq, kind, value, matters_until from revocations
     where environment_id = ${by.environmentId} and mcp_server_id = ${by.mcpServerId} and seq > ${by.after ?? 0n} and matters_until > ${by.now}
     order by seq limit ${by.limit}`);
  return rows.map((row) => ({
    seq: row.seq,
    kind: row.kind,
    value: row.value,
    mattersUntil: row.matters_until,
  }));
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
  },
): Promise<boolean> {
  const { environmentId, mcpServerId } = token;
  const rows = await db.rows<{ revoked: boolean }>(sql`
    select exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'handle' and value = any(${token.handles}::text[]))
      or exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'jti' and value = ${token.jti})
      or exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'kid' and value = ${token.kid})
      or exists (select 1 from revocations where environment_id = ${environmentId} and mcp_server_id = ${mcpServerId} and kind = 'before' and value::bigint > ${BigInt(Math.floor(token.issuedAt))}) as revoked`);
  return rows[0]?.revoked !== false;
}

/** Forgets what no token can be alive for. */
export async function forgetEndedRevocations(db: Db, now: Date): Promise<void> {
  await db.rows(sql`delete from revocations where matters_until <= ${now}`);
}
