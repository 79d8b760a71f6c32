import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';
import { insertClient, insertSecret } from '../../clients/clients.store.ts';
import type { Client } from '../../clients/clients.ts';
import { ensureFirstEnvironment } from '../../environments/environments.ts';
import { explainError } from '../../error-answers.ts';
import { insertAuthorizationCode } from '../../grants/authorization-codes.store.ts';
import { saveConsent } from '../../grants/grants.ts';
import { openCors } from '../../http/cors.ts';
import { edgeOf } from '../../http/edge.ts';
import { createHttp } from '../../http/fastify.ts';
import { ensureSigningKeys, forgetSigningKeys } from '../../keys/signing-keys.ts';
import { createMcpServer, type McpServerInput } from '../../mcp/manage-mcp-servers.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { newId } from '../../runtime/ids.ts';
import { silentLog } from '../../runtime/log.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { createSecrets } from '../../runtime/secrets.ts';
import { type Database, sql } from '../../storage/db.ts';
import { forgetRow, rememberRowsOf } from '../../storage/row-cache.ts';
import { type Cleanup, type Engine, openTestDatabase } from '../../testing/databases.ts';
import { mountJwks } from '../discovery/jwks.routes.ts';
import { mountMetadata } from '../discovery/metadata.routes.ts';
import { OPEN_PATHS } from '../discovery/open-paths.ts';
import { mountIntrospection } from './introspection.routes.ts';
import { mountRevocation } from './revocation.routes.ts';
import { mountToken } from './token.routes.ts';
import { mountUserinfo } from './userinfo.routes.ts';

/** For the tests of this folder and of oauth/discovery: these endpoints on a free port, with codes put into the store. */
export type Site = {
  readonly ctx: Ctx;
  readonly app: App;
  readonly database: Database;
  readonly clock: { ahead: number };
  /** E of the environment; a second process on the same database has another `origin`. */
  readonly E: string;
  readonly origin: string;
};

export type SiteOptions = {
  readonly engine?: Engine;
  readonly database?: Database;
  readonly url?: string;
  readonly clock?: { ahead: number };
  /** Operator keys: the first writes, all read. */
  readonly secretKeys?: readonly Uint8Array[];
};

export const SECRET_KEY = new Uint8Array(32).fill(7);

/** Call at the top of a file whose tests share a site. */
export function cleanUpAtTheEnd(): Cleanup {
  const works: (() => Promise<void>)[] = [];
  after(async () => {
    for (const work of works.reverse()) await work();
  });
  return { after: (work) => void works.push(work) };
}

export async function startSite(t: Cleanup, options: SiteOptions = {}): Promise<Site> {
  const database = options.database ?? (await openTestDatabase(t, options.engine ?? 'pglite'));
  rememberRowsOf(database);
  const stop = await database.listen('gatewarden_rows', (payload) => {
    forgetRow(database, payload);
    forgetSigningKeys(database);
  });
  t.after(() => stop().catch(() => undefined));
  const clock = options.clock ?? { ahead: 0 };
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  const site = { environmentId: '', issuer: '' };
  const http = createHttp({
    environmentOf: () => ({ ...site }),
    random,
    log: silentLog,
    explain: explainError,
    trustedProxies: ['127.0.0.1'],
    server: { closeTimeout: 300 },
  });
  const app: App = {
    config: {
      mode: 'dev',
      url: options.url ?? 'http://localhost:1',
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
    db: database,
    now: () => new Date(Date.now() + clock.ahead),
    random,
    fetch: async () => ({
      kind: 'failed',
      reason: 'connection',
      detail: 'no network in this test',
    }),
    log: silentLog,
    secrets: createSecrets(options.secretKeys ?? [SECRET_KEY], random),
    metrics: createMetrics(),
  };
  openCors(http, OPEN_PATHS);
  const contextOf = (request: Parameters<typeof edgeOf>[0]): Ctx => ({
    ...app,
    ...edgeOf(request),
  });
  for (const mount of [
    mountMetadata,
    mountJwks,
    mountToken,
    mountRevocation,
    mountIntrospection,
    mountUserinfo,
  ]) {
    mount(app, http, contextOf);
  }
  await http.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => http.close());
  const origin = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`; // it listens on a port
  const url = options.url ?? origin;
  const environment = await ensureFirstEnvironment({ ...app, config: { ...app.config, url } });
  await ensureSigningKeys(app, environment.id);
  Object.assign(site, { environmentId: environment.id, issuer: url });
  const ctx: Ctx = {
    ...app,
    ...site,
    requestId: 'req_test',
    network: { address: '127.0.0.1', userAgent: 'test' },
  };
  return { ctx, app, database, clock, E: url, origin };
}

export async function makeServer(
  { ctx }: Site,
  input: McpServerInput = {},
): Promise<McpServer & { issuer: string }> {
  const outcome = await createMcpServer(ctx, {
    name: 'Calendar',
    serverUrl: `https://mcp-${randomBytes(4).toString('hex')}.example.com/mcp`,
    scopes: [{ name: 'todo:read' }, { name: 'todo:write' }],
    ...input,
  });
  if (outcome.kind !== 'written') throw new Error(JSON.stringify(outcome));
  return { ...outcome.server, issuer: `${ctx.issuer}/resources/${outcome.server.id}` };
}

export type TestClient = { readonly id: string; readonly secret: string };

/** A client of any shape; by default a public one that registered itself at the server. */
export async function makeClient(
  { ctx }: Site,
  members: Partial<Client> & { readonly mcpServerId: string | undefined },
): Promise<TestClient> {
  const id = members.id ?? newId(ctx, members.kind === 'environment' ? 'skc' : 'm2m');
  const now = ctx.now();
  const secret = randomBytes(32).toString('base64url');
  await insertClient(ctx.db, {
    environmentId: ctx.environmentId,
    kind: 'mcp',
    registration: 'dynamic',
    organizationId: undefined,
    name: 'Test client',
    description: '',
    applicationType: undefined,
    redirectUris: ['https://client.example/callback'],
    grantTypes: ['authorization_code', 'refresh_token'],
    responseTypes: ['code'],
    tokenEndpointAuthMethod: 'none',
    assertionOptional: false,
    scopes: [],
    metadata: {},
    jwks: undefined,
    jwksUri: undefined,
    settings: {},
    managementApi: false,
    enabled: true,
    createdAt: now,
    revocationSecret: ctx.random(32),
    ...members,
    id,
  });
  await insertSecret(ctx.db, {
    environmentId: ctx.environmentId,
    clientId: id,
    id: newId(ctx, 'sec'),
    hash: sha256(secret),
    suffix: secret.slice(-4),
    now,
  });
  return { id, secret };
}

export async function makeUser(
  { ctx }: Site,
  email = `${randomBytes(4).toString('hex')}@example.com`,
): Promise<string> {
  const id = newId(ctx, 'usr');
  const now = ctx.now();
  await ctx.db.rows(sql`
    insert into users (environment_id, id, email, email_key, email_verified_at, name, revocation_secret, created_at, updated_at)
    values (${ctx.environmentId}, ${id}, ${email}, ${email}, ${now}, 'Ada Lovelace', ${ctx.random(32)}, ${now}, ${now})`);
  return id;
}

export async function makeSession({ ctx }: Site, userId: string): Promise<string> {
  const id = newId(ctx, 'ses');
  const now = ctx.now();
  const end = new Date(now.getTime() + 30 * 86_400_000);
  await ctx.db.rows(sql`
    insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at)
    values (${ctx.environmentId}, ${id}, ${ctx.random(32)}, ${ctx.random(32)}, ${userId}, 'email-code', ${now}, ${now}, ${now}, ${end}, ${end})`);
  return id;
}

export type CodeOptions = {
  readonly server: (McpServer & { issuer: string }) | undefined;
  readonly client: TestClient;
  readonly userId?: string;
  readonly sessionId?: string;
  readonly scopes?: readonly string[];
  readonly redirectUri?: string;
  readonly challenge?: 'none';
  readonly issuer?: string;
  readonly nonce?: string;
  readonly resource?: string;
  readonly browserHash?: Uint8Array;
  readonly lifetimeSeconds?: number;
};

export type TestCode = {
  readonly code: string;
  readonly verifier: string;
  readonly userId: string;
  readonly consentId: string;
  readonly sessionId: string;
};

/** A code as the consent page would have issued it. */
export async function makeCode(site: Site, options: CodeOptions): Promise<TestCode> {
  const { ctx } = site;
  const code = randomBytes(32).toString('base64url');
  const verifier = randomBytes(32).toString('base64url');
  const userId = options.userId ?? (await makeUser(site));
  const sessionId = options.sessionId ?? (await makeSession(site, userId));
  const redirectUri = options.redirectUri ?? 'https://client.example/callback';
  const scopes = options.scopes ?? ['todo:read', 'todo:write'];
  const now = ctx.now();
  const consentId = await saveConsent(ctx, {
    userId,
    clientId: options.client.id,
    mcpServerId: options.server?.id,
    redirectUri,
    scopes,
    clientDigest: new Uint8Array(32),
    remembered: false,
  });
  await insertAuthorizationCode(ctx.db, {
    environmentId: ctx.environmentId,
    codeHash: sha256(code),
    flowId: `flw_${randomBytes(8).toString('hex')}`,
    loginRequestId: 'none',
    issuer: options.issuer ?? options.server?.issuer ?? site.E,
    clientId: options.client.id,
    redirectUri,
    redirectUriGiven: true,
    codeChallenge:
      options.challenge === 'none'
        ? undefined
        : createHash('sha256').update(verifier).digest('base64url'),
    userId,
    sessionId,
    browserHash: options.browserHash ?? ctx.random(32),
    consentId,
    mcpServerId: options.server?.id,
    resource: options.resource,
    scopes,
    nonce: options.nonce,
    authenticatedAt: now,
    createdAt: now,
    expiresAt: new Date(now.getTime() + (options.lifetimeSeconds ?? 60) * 1000),
  });
  return { code, verifier, userId, consentId, sessionId };
}

export type Answer = {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: Headers;
};
export type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** One form POST to an endpoint; `at` is a process's own address of E or R. */
export async function post(
  url: string,
  fields: Fields,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) form.append(name, one);
  }
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: form.toString(),
  });
  const text = await response.text();
  const body: unknown = text.startsWith('{') ? JSON.parse(text) : {};
  return {
    status: response.status,
    body: body as Record<string, unknown>,
    text,
    headers: response.headers,
  }; // an object, by its first character
}

export async function redeem(
  issuer: string,
  code: TestCode,
  client: TestClient,
  fields: Fields = {},
): Promise<Answer> {
  return await post(`${issuer}/oauth/token`, {
    grant_type: 'authorization_code',
    code: code.code,
    code_verifier: code.verifier,
    redirect_uri: 'https://client.example/callback',
    client_id: client.id,
    ...fields,
  });
}

export async function refresh(
  issuer: string,
  token: unknown,
  client: TestClient,
  fields: Fields = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return await post(
    `${issuer}/oauth/token`,
    { grant_type: 'refresh_token', refresh_token: String(token), client_id: client.id, ...fields },
    headers,
  );
}

/** The events of one type, oldest first. */
export async function eventsOf(
  { ctx }: Site,
  type: string,
): Promise<
  {
    reason: string | null;
    client_id: string | null;
    data: Record<string, unknown>;
    outcome: string;
    address: string | null;
    flow_id: string | null;
    grant_id: string | null;
    user_id: string | null;
  }[]
> {
  return await ctx.db.rows(
    sql`select reason, client_id, data, outcome, address, flow_id, grant_id, user_id from events where environment_id = ${ctx.environmentId} and type = ${type} order by id`,
  );
}

export async function revocationsOf(
  { ctx }: Site,
  mcpServerId: string,
): Promise<{ kind: string; value: string }[]> {
  return await ctx.db.rows(
    sql`select kind, value from revocations where environment_id = ${ctx.environmentId} and mcp_server_id = ${mcpServerId} order by seq`,
  );
}
