import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { createClient } from './clients/manage-clients.ts';
import { type Gatewarden, startGatewarden } from './gatewarden.ts';
import { createMcpServer, type McpServerInput } from './mcp/manage-mcp-servers.ts';
import type { McpServer } from './mcp/mcp-servers.ts';
import type { Config } from './runtime/config.ts';
import type { ScopePolicy } from './runtime/context.ts';
import { type Log, silentLog } from './runtime/log.ts';
import type { Database } from './storage/db.ts';
import { type Cleanup, type Engine, testPglite, testPostgres } from './testing/databases.ts';

export { createClient } from './clients/manage-clients.ts';
export { deleteDirectoryGroup, upsertDirectoryGroup } from './directory/directory-groups.ts';
export { deleteDirectoryUser, upsertDirectoryUser } from './directory/directory-users.ts';
export { signJwt } from './keys/signing-keys.ts';
export { disablePerson } from './login/end-access.ts';
export { verifyDomain } from './sso/domains.ts';
export { sql } from './storage/db.ts';
export { launchBrowser } from './testing/browser.ts';
export { type CookieBrowser, cookieBrowser } from './testing/cookie-browser.ts';
export { type Engine, engines, testPglite, testPostgres } from './testing/databases.ts';
export {
  authorizeUrl,
  authorizeWith,
  pkce,
  register,
  type TokenAnswer,
  token,
} from './testing/oauth-client.ts';
export { tellExpiringCertificates } from './webhooks/expiring-certificates.job.ts';

/** A clock that stands on a real time and moves on by itself, and by leaps. */
export type TestClock = {
  readonly now: () => Date;
  advance(by: { seconds?: number; minutes?: number; days?: number }): void;
};

export type TestOptions = {
  /** @default pglite, in memory */
  readonly engine?: Engine;
  /** Another process on the same database: give what the first one was started with. */
  readonly with?: {
    readonly url: string;
    readonly database: Database;
    readonly secretKeys: readonly Uint8Array[];
    readonly clock: TestClock;
  };
  readonly config?: Partial<Config>;
  readonly permittedScopes?: ScopePolicy;
  /** @default none */
  readonly log?: Log;
  /** A database of the test's own. */
  readonly database?: Database;
};

export type TestGatewarden = Gatewarden & {
  readonly clock: TestClock;
  readonly database: Database;
  /** On PostgreSQL, another pool for another process. */
  readonly openDatabase: (() => Promise<Database>) | undefined;
  readonly secretKeys: readonly Uint8Array[];
  /** Address of this process; differs from E when several serve one E. */
  readonly origin: string;
  /** @throws {Error} the input is not acceptable */
  mcpServer(input?: McpServerInput): Promise<McpServer>;
  /** A client for client_credentials at one MCP server. */
  machine(mcpServerId: string, scopes?: readonly string[]): Promise<{ id: string; secret: string }>;
};

/** A whole server over real HTTP on a free port of loopback, with a clock that the test sets. Closed with the test. */
export async function startTestGatewarden(
  t: Cleanup,
  options: TestOptions = {},
): Promise<TestGatewarden> {
  const clock = options.with?.clock ?? testClock();
  const cleanups: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });
  const later: Cleanup = { after: (work) => void cleanups.push(work) };
  const storage = options.database
    ? { database: options.database, open: undefined }
    : options.with
      ? { database: options.with.database, open: undefined }
      : await openStorageFor(later, options.engine ?? 'pglite');
  const port = await freePort();
  const keys = options.with?.secretKeys ?? [new Uint8Array(randomBytes(32))];
  const config: Config = {
    mode: 'dev',
    url: options.with?.url ?? `http://localhost:${port}`,
    host: '127.0.0.1',
    port,
    storage: { kind: 'memory' },
    secretKeys: keys,
    client: undefined,
    mail: undefined,
    trustedProxies: [],
    tls: undefined,
    metricsToken: undefined,
    allowLoopbackClients: true,
    exposeToken: undefined,
    logLevel: 'silent',
    ...options.config,
  };
  const gatewarden = await startGatewarden(config, {
    now: clock.now,
    log: options.log ?? silentLog,
    database: storage.database,
    permittedScopes: options.permittedScopes,
  });
  later.after(gatewarden.close);
  return {
    ...gatewarden,
    clock,
    database: storage.database,
    openDatabase: storage.open,
    secretKeys: keys,
    origin: `http://localhost:${port}`,
    async mcpServer(input = {}) {
      const outcome = await createMcpServer(gatewarden.context(), {
        name: 'Calendar',
        scopes: [
          { name: 'todo:read' },
          { name: 'todo:write' },
          { name: 'todo:delete', class: 'delete_or_spend' },
        ],
        ...input,
      });
      if (outcome.kind !== 'written')
        throw new Error(`the MCP server was not made: ${JSON.stringify(outcome)}`);
      return outcome.server;
    },
    async machine(mcpServerId, scopes = ['todo:read']) {
      const created = await createClient(gatewarden.context(), {
        kind: 'mcp',
        mcpServerId,
        name: 'Machine',
        scopes,
      });
      if (created.kind !== 'created' || !created.secret)
        throw new Error(`the client was not made: ${JSON.stringify(created)}`);
      return { id: created.client.id, secret: created.secret.plain };
    },
  };
}

async function openStorageFor(
  t: Cleanup,
  engine: Engine,
): Promise<{ database: Database; open: (() => Promise<Database>) | undefined }> {
  if (engine === 'pglite') return { database: await testPglite(t), open: undefined };
  const postgres = await testPostgres(t);
  return { database: postgres.database, open: () => postgres.open() };
}

export function testClock(): TestClock {
  let ahead = 0;
  return {
    now: () => new Date(Date.now() + ahead),
    advance: ({ seconds = 0, minutes = 0, days = 0 }) => {
      ahead += (seconds + minutes * 60 + days * 86_400) * 1000;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() =>
      typeof address === 'object' && address
        ? resolve(address.port)
        : reject(new Error('no port was free')),
    );
  });
  return await promise;
}
