import { randomBytes } from 'node:crypto';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId } from '../runtime/ids.ts';
import { silentLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { createSecrets } from '../runtime/secrets.ts';
import { type Database, sql } from '../storage/db.ts';
import type { AuthorizationCode } from './authorization-codes.store.ts';
import { saveConsent } from './grants.ts';

/** For the tests of this folder: rows of the folders above, as small as the tables allow. */
export const ENVIRONMENT = 'env_1';

/** A context with a clock of its own. `at` moves it. */
export function testCtx(
  db: Database,
  at: { now: Date } = { now: new Date('2026-11-20T10:00:00.250Z') },
): Ctx {
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  return {
    config: {
      mode: 'dev',
      url: 'http://localhost:8080',
      host: '127.0.0.1',
      port: 0,
      storage: { kind: 'memory' },
      secretKeys: [],
      client: undefined,
      mail: undefined,
      trustedProxies: [],
      tls: undefined,
      metricsToken: undefined,
      allowLoopbackClients: false,
      exposeToken: undefined,
      logLevel: 'silent',
    },
    db,
    now: () => at.now,
    random,
    fetch: async () => ({
      kind: 'failed',
      reason: 'connection',
      detail: 'no network in this test',
    }),
    log: silentLog,
    secrets: createSecrets([new Uint8Array(32)], random),
    metrics: createMetrics(),
    environmentId: ENVIRONMENT,
    issuer: 'http://localhost:8080',
    requestId: 'req_test',
    network: { address: '203.0.113.7', userAgent: 'test' },
  };
}

export type Rows = {
  readonly userId: string;
  readonly clientId: string;
  readonly serverId: string;
  readonly sessionId: string;
};

/** An environment with one person, client, MCP server and session. */
export async function insertRows(ctx: Ctx): Promise<Rows> {
  const now = ctx.now();
  await ctx.db.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values (${ENVIRONMENT}, 'http://localhost:8080', 'Test', 'DEVELOPMENT', ${now}) on conflict do nothing`,
  );
  const serverId = await insertServer(ctx);
  return {
    serverId,
    userId: await insertUser(ctx),
    clientId: await insertClient(ctx, serverId),
    sessionId: await insertSession(ctx),
  };
}

export async function insertServer(ctx: Ctx): Promise<string> {
  const id = newId(ctx, 'res');
  const now = ctx.now();
  await ctx.db.rows(
    sql`insert into mcp_servers (environment_id, id, name, created_at, updated_at) values (${ENVIRONMENT}, ${id}, 'Server', ${now}, ${now})`,
  );
  return id;
}

export async function insertUser(ctx: Ctx): Promise<string> {
  const id = newId(ctx, 'usr');
  const now = ctx.now();
  await ctx.db.rows(
    sql`insert into users (environment_id, id, email, email_key, name, revocation_secret, created_at, updated_at) values (${ENVIRONMENT}, ${id}, ${id}, ${id}, 'Ada', ${ctx.random(32)}, ${now}, ${now})`,
  );
  return id;
}

export async function insertClient(ctx: Ctx, serverId: string): Promise<string> {
  const id = newId(ctx, 'm2m');
  const now = ctx.now();
  await ctx.db.rows(
    sql`insert into clients (environment_id, id, kind, registration, mcp_server_id, revocation_secret, created_at, updated_at) values (${ENVIRONMENT}, ${id}, 'mcp', 'dynamic', ${serverId}, ${ctx.random(32)}, ${now}, ${now})`,
  );
  return id;
}

async function insertSession(ctx: Ctx): Promise<string> {
  const id = newId(ctx, 'ses');
  const now = ctx.now();
  const userId = await insertUser(ctx);
  await ctx.db.rows(sql`insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at)
    values (${ENVIRONMENT}, ${id}, ${ctx.random(32)}, ${ctx.random(32)}, ${userId}, 'email-code', ${now}, ${now}, ${now}, ${now}, ${now})`);
  return id;
}

/** A code with its consent, not yet stored. */
export async function newCode(
  ctx: Ctx,
  rows: Rows,
  changes: Partial<AuthorizationCode> = {},
): Promise<AuthorizationCode> {
  const scopes = changes.scopes ?? ['todo:read'];
  const redirectUri = 'https://client.example/callback';
  const consentId = await saveConsent(ctx, {
    userId: rows.userId,
    clientId: rows.clientId,
    mcpServerId: rows.serverId,
    redirectUri,
    scopes,
    clientDigest: new Uint8Array(32),
    remembered: true,
  });
  return {
    environmentId: ENVIRONMENT,
    codeHash: sha256(ctx.random(32)),
    flowId: 'flw_1',
    loginRequestId: 'login_1',
    issuer: `${ctx.issuer}/resources/${rows.serverId}`,
    clientId: rows.clientId,
    redirectUri,
    redirectUriGiven: true,
    codeChallenge: 'x'.repeat(43),
    userId: rows.userId,
    sessionId: rows.sessionId,
    browserHash: ctx.random(32),
    consentId,
    mcpServerId: rows.serverId,
    scopes,
    authenticatedAt: ctx.now(),
    createdAt: ctx.now(),
    expiresAt: new Date(ctx.now().getTime() + 60_000),
    ...changes,
  };
}

export async function entriesOf(
  ctx: Ctx,
  serverId: string,
): Promise<{ kind: string; value: string }[]> {
  return await ctx.db.rows(
    sql`select kind, value from revocations where environment_id = ${ENVIRONMENT} and mcp_server_id = ${serverId} order by seq`,
  );
}

export async function secretOf(
  ctx: Ctx,
  table: 'users' | 'clients',
  id: string,
): Promise<Uint8Array> {
  const query =
    table === 'users'
      ? sql`select revocation_secret from users where id = ${id}`
      : sql`select revocation_secret from clients where id = ${id}`;
  const [row] = await ctx.db.rows<{ revocation_secret: Uint8Array }>(query);
  if (!row) throw new Error('no such row');
  return row.revocation_secret;
}
