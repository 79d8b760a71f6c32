import { type Db, type Sql, sql } from '../storage/db.ts';

/** What is meant: one of these, or without any of them the whole environment. */
export type Reach = {
  readonly mcpServerId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly userId?: string | undefined;
};
export type IssuedBefore = Reach & {
  readonly environmentId: string;
  readonly before: Date;
  readonly because: string;
  readonly now: Date;
  readonly tokens: TokenTimes;
};
/** What the longest lifetime of an access token means for one moment. */
export type TokenTimes = {
  /** Access tokens issued earlier have ended by themselves. */
  readonly oldestLive: Date;
  /** Until when verifiers must remember what is revoked now. */
  readonly matterUntil: Date;
};

/** The longest that a code can wait for its redemption (AS-94). */
const LONGEST_CODE_MS = 600_000;

/** Codes that nobody has redeemed expire now. A redemption that is under way is waited for; its grant ends with the others. */
export async function expireCodes(db: Db, by: IssuedBefore): Promise<number> {
  const rows = await db.rows<{ count: number }>(sql`
    with expired as (
      update authorization_codes x set expires_at = ${by.now}
       where x.environment_id = ${by.environmentId} and ${within(by)} and x.created_at < ${by.before} and x.consumed_at is null and x.expires_at > ${by.now}
      returning 1
    )
    select count(*)::int as count from expired`);
  return rows[0]?.count ?? 0;
}

/**
 * Grants made before the moment, or by a code from before it, end with their refresh families. What they were used for since
 * then is told by their handles (AS-124); older access tokens are the caller's to end, and with `tellHandles` false all are.
 */
export async function endGrants(
  db: Db,
  by: IssuedBefore & { readonly tellHandles: boolean },
): Promise<number> {
  const made = sql`(x.created_at < ${by.before} or (x.created_at < ${new Date(by.before.getTime() + LONGEST_CODE_MS)}
    and exists (select 1 from authorization_codes c where c.environment_id = x.environment_id and c.grant_id = x.id and c.created_at < ${by.before})))`;
  const rows = await db.rows<{ count: number }>(sql`
    with ended as (
      update grants x set ended_at = ${by.now}, ended_because = ${by.because}
       where x.environment_id = ${by.environmentId} and ${within(by)} and x.ended_at is null and ${made}
      returning x.environment_id, x.id, x.mcp_server_id, x.revocation_handle, x.last_used_at
    ), replaced as (
      select x.environment_id, x.id, x.mcp_server_id, x.revocation_handle, x.last_used_at from grants x
       where x.environment_id = ${by.environmentId} and ${within(by)} and x.ended_because = 'replaced' and ${made}
    ), told as (
      insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
      select environment_id, mcp_server_id, 'handle', revocation_handle, ${by.tokens.matterUntil}::timestamptz, ${by.now}::timestamptz
        from (select * from ended union all select * from replaced) used
       where ${by.tellHandles}::boolean and mcp_server_id is not null and last_used_at >= ${by.before} and last_used_at > ${by.tokens.oldestLive}
    ), family as (
      update refresh_tokens t set revoked_at = ${by.now}, salt = null from ended
       where t.environment_id = ended.environment_id and t.grant_id = ended.id and t.revoked_at is null
    )
    select count(*)::int as count from ended`);
  return rows[0]?.count ?? 0;
}

/** Answers that people gave before the moment stand for no further request (AS-131): without a person nothing comes back. */
export async function forgetConsents(db: Db, by: IssuedBefore): Promise<number> {
  const rows = await db.rows<{ count: number }>(sql`
    with forgotten as (
      update consents x set remembered = false
       where x.environment_id = ${by.environmentId} and ${within(by)} and x.remembered and x.revoked_at is null and x.updated_at < ${by.before}
      returning 1
    )
    select count(*)::int as count from forgotten`);
  return rows[0]?.count ?? 0;
}

/** One entry "everything issued before" for each MCP server, switched-off and deleted ones too: their feeds go on (AS-13). */
export async function revokeServers(
  db: Db,
  by: IssuedBefore & { readonly value: string; readonly until: Date },
): Promise<number> {
  const rows = await db.rows<{ count: number }>(sql`
    with servers as (
      update mcp_servers m set revoked_before = greatest(m.revoked_before, ${by.before}::timestamptz), row_version = row_version + 1
       where m.environment_id = ${by.environmentId} and (${by.mcpServerId}::text is null or m.id = ${by.mcpServerId})
      returning m.environment_id, m.id
    ), told as (
      insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
      select environment_id, id, 'before', ${by.value}, ${by.until}::timestamptz, ${by.now}::timestamptz from servers where ${by.until}::timestamptz > ${by.now}::timestamptz
    )
    select count(*)::int as count from servers`);
  return rows[0]?.count ?? 0;
}

/** A person or client: the secret behind its handles, and the MCP server that it belongs to. */
export type Party = {
  readonly revocationSecret: Uint8Array;
  readonly mcpServerId: string | undefined;
};

/** Locks the person or client, before its codes: a redemption takes the locks in the same order. */
export async function lockParty(db: Db, by: IssuedBefore): Promise<Party | undefined> {
  const { table, id, own } = partyOf(by);
  const rows = await db.rows<{ revocation_secret: Uint8Array; own: string | null }>(
    sql`select revocation_secret, ${own} as own from ${table} where environment_id = ${by.environmentId} and id = ${id} for update`,
  );
  const row = rows[0];
  return row && { revocationSecret: row.revocation_secret, mcpServerId: row.own ?? undefined };
}

/** Gives the party a new secret. Returns the MCP servers where access tokens with the old handle may live. */
export async function renewParty(
  db: Db,
  by: IssuedBefore & { readonly newSecret: Uint8Array },
): Promise<string[]> {
  const { table, id, column } = partyOf(by);
  await db.rows(sql`
    update ${table} set revocation_secret = ${by.newSecret}, row_version = row_version + 1 where environment_id = ${by.environmentId} and id = ${id}`);
  const places = await db.rows<{ id: string }>(sql`
    select distinct x.mcp_server_id as id from grants x
     where x.environment_id = ${by.environmentId} and ${column} = ${id} and x.mcp_server_id is not null and (x.ended_at is null or x.last_used_at > ${by.tokens.oldestLive})`);
  return places.map((place) => place.id);
}

/** Tells the verifiers of each server that what carries this handle is revoked. */
export async function tellHandles(
  db: Db,
  by: IssuedBefore & { readonly handles: readonly { mcpServerId: string; handle: string }[] },
): Promise<void> {
  await db.rows(sql`
    insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
    select ${by.environmentId}, told.mcp_server_id, 'handle', told.handle, ${by.tokens.matterUntil}::timestamptz, ${by.now}::timestamptz
      from unnest(${by.handles.map((one) => one.mcpServerId)}::text[], ${by.handles.map((one) => one.handle)}::text[]) as told (mcp_server_id, handle)`);
}

function partyOf(by: Reach): { table: Sql; id: string | undefined; column: Sql; own: Sql } {
  return by.userId === undefined
    ? { table: sql`clients`, id: by.clientId, column: sql`x.client_id`, own: sql`mcp_server_id` }
    : { table: sql`users`, id: by.userId, column: sql`x.user_id`, own: sql`null::text` };
}

/** Condition on a row `x` with the columns of a code, grant or consent. */
function within(by: Reach): Sql {
  if (by.userId !== undefined) return sql`x.user_id = ${by.userId}`;
  if (by.clientId !== undefined) return sql`x.client_id = ${by.clientId}`;
  if (by.mcpServerId !== undefined) return sql`x.mcp_server_id = ${by.mcpServerId}`;
  return sql`true`;
}
