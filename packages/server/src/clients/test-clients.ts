import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, type TestContext } from 'node:test';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { updateEnvironmentSettings } from '../environments/environments.store.ts';
import type { EnvironmentSettings } from '../environments/environments.ts';
import { createMcpServer, type McpServerInput } from '../mcp/manage-mcp-servers.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import type { Config } from '../runtime/config.ts';
import type { Ctx } from '../runtime/context.ts';
import { silentLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { createSafeFetch, type SafeFetch } from '../runtime/safe-fetch.ts';
import { createSecrets } from '../runtime/secrets.ts';
import { type Database, sql } from '../storage/db.ts';
import { forgetRow, rememberRowsOf } from '../storage/row-cache.ts';
import { testPglite } from '../testing/databases.ts';

/** For the tests of this folder: an environment of its own for each test, on one database for each file. */
export type TestClients = {
  ctx: Ctx;
  /** The same environment, called from another address. */
  from(address: string): Ctx;
  advance(by: { seconds?: number; minutes?: number; days?: number }): void;
  mcpServer(input?: McpServerInput): Promise<McpServer>;
  settings(
    settings: Partial<Omit<EnvironmentSettings, 'limits'>> & {
      limits?: Partial<EnvironmentSettings['limits']>;
    },
  ): Promise<void>;
  events(
    type: string,
  ): Promise<{ reason: string | null; data: Record<string, unknown>; client_id: string | null }[]>;
};

type Options = {
  kind?: 'DEVELOPMENT' | 'PRODUCTION';
  config?: Partial<Config>;
  fetch?: SafeFetch;
  database?: Database;
};

let shared: Promise<Database> | undefined;
const cleanups: (() => Promise<void>)[] = [];
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

function sharedDatabase(): Promise<Database> {
  shared ??= testPglite({ after: (work) => void cleanups.push(work) }).then(remembering);
  return shared;
}

/** A database as the composition root opens it: rows are remembered, and forgotten when they change. */
export async function remembering(database: Database): Promise<Database> {
  rememberRowsOf(database);
  await database.listen('gatewarden_rows', (payload) => forgetRow(database, payload));
  return database;
}

export async function testClients(options: Options = {}): Promise<TestClients> {
  const db = options.database ?? (await sharedDatabase());
  const environmentId = `env_${BigInt(`0x${randomBytes(7).toString('hex')}`)}`;
  const issuer = `https://${randomUUID()}.example.com`;
  let ahead = 0;
  const now = (): Date => new Date(Date.now() + ahead);
  await db.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values (${environmentId}, ${issuer}, 'Acme', ${options.kind ?? 'DEVELOPMENT'}, ${now()})`,
  );
  const config: Config = {
    mode: 'serve',
    url: issuer,
    host: '127.0.0.1',
    port: 0,
    storage: { kind: 'memory' },
    secretKeys: [],
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
  const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
  const ctx: Ctx = {
    config,
    db,
    now,
    random,
    fetch:
      options.fetch ??
      createSafeFetch({
        allowLoopback: config.allowLoopbackClients,
        ownHosts: () => [new URL(issuer).host],
      }),
    log: silentLog,
    secrets: createSecrets([random(32)], random),
    metrics: createMetrics(),
    environmentId,
    issuer,
    requestId: 'req_test',
    network: { address: '203.0.113.7', userAgent: 'test' },
  };
  return {
    ctx,
    from: (address) => ({ ...ctx, network: { address, userAgent: 'test' } }),
    advance: ({ seconds = 0, minutes = 0, days = 0 }) => {
      ahead += (seconds + minutes * 60 + days * 86_400) * 1000;
    },
    async mcpServer(input = {}) {
      const outcome = await createMcpServer(ctx, {
        name: 'Calendar',
        scopes: [{ name: 'todo:read' }],
        ...input,
      });
      if (outcome.kind !== 'written') throw new Error(JSON.stringify(outcome));
      return outcome.server;
    },
    async settings(settings) {
      // The test's own keys; the store's type has every limit optional.
      await updateEnvironmentSettings(db, environmentId, settings);
      forgetRow(db, '');
    },
    events: (type) =>
      db.rows(
        sql`select reason, data, client_id from events where environment_id = ${environmentId} and type = ${type} order by id`,
      ),
  };
}

export type Answer = {
  status?: number;
  type?: string;
  cacheControl?: string;
  body?: unknown;
  location?: string;
  delayMs?: number;
};
export type DocumentSite = {
  origin: string;
  /** Paths asked for, in order. */
  requests: string[];
  /** What a path answers; a function is asked each time. */
  answer(path: string, answer: Answer | ((request: IncomingMessage) => Answer)): string;
  down(): void;
  up(): void;
};

/** Somebody's web site with metadata documents, key sets and logos, on loopback. */
export async function documentSite(t: TestContext): Promise<DocumentSite> {
  const answers = new Map<string, (request: IncomingMessage) => Answer>();
  const requests: string[] = [];
  let isDown = false;
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    requests.push(path);
    if (isDown) {
      request.socket.destroy();
      return;
    }
    const {
      status = 200,
      type = 'application/json',
      cacheControl,
      body,
      location,
      delayMs = 0,
    } = answers.get(path)?.(request) ?? { status: 404 };
    response.writeHead(status, {
      'content-type': type,
      ...(cacheControl ? { 'cache-control': cacheControl } : {}),
      ...(location ? { location } : {}),
    });
    const bytes =
      body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body ?? {});
    setTimeout(() => response.end(bytes), delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // A listening TCP server has an AddressInfo.
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    requests,
    answer(path, answer) {
      answers.set(path, typeof answer === 'function' ? answer : () => answer);
      return `${origin}${path}`;
    },
    down: () => {
      isDown = true;
    },
    up: () => {
      isDown = false;
    },
  };
}

export type Signer = {
  jwk: JWK;
  sign(
    claims: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ): Promise<string>;
};

/** A client's own key: its public half, and assertions signed with it. */
export async function signer(kid = 'key-1', alg = 'ES256'): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims, header = {}) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg, typ: 'JWT', kid, ...header })
        .sign(privateKey),
  };
}
