import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { mountDevMailbox } from '../src/email/dev-mailbox.routes.ts';
import { ensureFirstEnvironment } from '../src/environments/environments.ts';
import { edgeOf } from '../src/http/edge.ts';
import { createHttp } from '../src/http/fastify.ts';
import { browserOf, sessionsOfRequest } from '../src/login/browser.ts';
import { mountConfirmLink } from '../src/login/confirm-link.page.ts';
import { mountEmailCode } from '../src/login/email-code.page.ts';
import { mountLoginHub } from '../src/login/hub.page.ts';
import { mountIdentify } from '../src/login/identify.page.ts';
import type { LoginDetails } from '../src/login/login-requests.store.ts';
import { createLoginRequest, openLogin } from '../src/login/login-requests.ts';
import { mountLogout } from '../src/login/logout.routes.ts';
import { satisfies } from '../src/login/next-step.ts';
import { PageError } from '../src/login/page-error.ts';
import { pageHandler, seeOther } from '../src/login/page-reply.ts';
import { mountPickAccount } from '../src/login/pick-account.page.ts';
import { mountSignUp } from '../src/login/sign-up.page.ts';
import type { Config } from '../src/runtime/config.ts';
import type { App, Ctx } from '../src/runtime/context.ts';
import { type Log, silentLog } from '../src/runtime/log.ts';
import { createMetrics } from '../src/runtime/metrics.ts';
import { createSecrets } from '../src/runtime/secrets.ts';
import type { Database } from '../src/storage/db.ts';
import { TestBrowser } from './test-browser.ts';

export type SignInSite = {
  app: App;
  ctx: Ctx;
  origin: string;
  clock: TestClock;
  /** A new browser: its own cookies. */
  browser(headers?: Record<string, string>): TestBrowser;
};

/** Time goes on by itself, and further when told. */
export type TestClock = { now(): Date; advance(seconds: number): void };

function testClock(): TestClock {
  let offset = 0;
  return {
    now: () => new Date(Date.now() + offset),
    advance: (seconds) => {
      offset += seconds * 1000;
    },
  };
}

export type SiteOptions = {
  /** Another site's, for two processes that agree on the time. */
  clock?: TestClock;
  database: Database;
  config?: Partial<Config>;
  /** E as configured; by default the address the server listens on. */
  url?: string;
  log?: Log;
};

type Cleanup = { after(work: () => Promise<void>): void };

/**
 * The sign-in pages alone, over HTTP. `/start?…` stands for an authorization endpoint that has accepted a request: it freezes
 * one for the browser and sends it to the hub. `/oauth/authorize/{id}` says who it would issue a code for.
 */
export async function startSignInSite(t: Cleanup, options: SiteOptions): Promise<SignInSite> {
  const { clock = testClock() } = options;
  const { now } = clock;
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  let site = { environmentId: '', issuer: '' };
  const http = createHttp({ environmentOf: () => site, random, log: silentLog });
  let app: App | undefined;
  const contextOf = (request: Parameters<typeof edgeOf>[0]): Ctx => {
    if (!app) throw new Error('not started');
    return { ...app, ...edgeOf(request) };
  };
  mountStart(http, contextOf);
  const config = configOf(options);
  const early: { config: Config } = { config };
  for (const mount of [
    mountDevMailbox,
    mountLoginHub,
    mountIdentify,
    mountSignUp,
    mountEmailCode,
    mountConfirmLink,
    mountPickAccount,
    mountLogout,
  ]) {
    mount(early as App, http, contextOf); // mounting reads nothing but the configuration
  }
  await http.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => http.close());
  const origin = originOf(http);
  const url = options.url ?? origin;
  app = {
    config: { ...config, url },
    db: options.database,
    now,
    random,
    fetch: () => Promise.reject(new Error('the sign-in pages fetch nothing')),
    log: options.log ?? silentLog,
    secrets: createSecrets(config.secretKeys, random),
    metrics: createMetrics(),
  };
  early.config = app.config;
  const environment = await ensureFirstEnvironment(app);
  site = { environmentId: environment.id, issuer: url };
  const network = { address: '127.0.0.1', userAgent: 'test' };
  return {
    app,
    ctx: { ...app, ...site, requestId: 'req_test', network },
    origin,
    clock,
    browser: (headers = {}) => new TestBrowser(origin, headers),
  };
}

function configOf({ config }: SiteOptions): Config {
  return {
    mode: 'dev',
    url: 'http://localhost',
    host: '127.0.0.1',
    port: 0,
    storage: { kind: 'memory' },
    secretKeys: [new Uint8Array(32).fill(7)],
    client: undefined,
    mail: undefined,
    trustedProxies: [],
    tls: undefined,
    metricsToken: undefined,
    allowLoopbackClients: false,
    exposeToken: undefined,
    logLevel: 'silent',
    ...config,
  };
}

function originOf(http: FastifyInstance): string {
  const address = http.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was bound');
  return `http://127.0.0.1:${address.port}`;
}

function mountStart(
  http: FastifyInstance,
  contextOf: (request: Parameters<typeof edgeOf>[0]) => Ctx,
): void {
  http.get(
    '/start',
    pageHandler(contextOf, async (ctx, request, reply) => {
      const query = new URL(request.url, 'http://localhost').searchParams;
      const browser = browserOf(ctx, request, reply);
      const created = await createLoginRequest(ctx, {
        browserHash: browser.hash,
        flowId: 'flow_test',
        issuer: ctx.issuer,
        clientId: 'skc_1',
        redirectUri: 'https://app.example/callback',
        details: detailsOf(query),
      });
      if (created.kind === 'too-many') {
        const seconds = created.retryAfterSeconds;
        throw new PageError({ kind: 'too-many-requests', seconds });
      }
      return seeOther(reply, `/login/${created.id}`);
    }),
  );
  http.get(
    '/oauth/authorize/:id',
    pageHandler(contextOf, async (ctx, request, reply) => {
      const id = (request.url.split('/').pop() ?? '').split('?')[0] ?? '';
      const login = await openLogin(ctx, request, id);
      const { current } = await sessionsOfRequest(ctx, request);
      if (!current || !satisfies(login, current, ctx.now())) {
        return seeOther(reply, `/login/${id}`);
      }
      const body = { email: current.email, name: current.name, sessionId: current.id };
      return reply.send(JSON.stringify(body));
    }),
  );
}

function detailsOf(query: URLSearchParams): LoginDetails {
  const maxAge = query.get('max_age');
  return {
    purpose: {
      kind: 'mcp',
      server: 'Acme Calendar',
      client: {
        name: 'Cursor',
        verified: false,
        redirect: { kind: 'loopback', port: '33418' },
      },
    },
    prompts: (query.get('prompt') ?? '').split(' ').filter((word) => word !== ''),
    maxAge: maxAge === null ? undefined : Number(maxAge),
    loginHint: query.get('login_hint') ?? undefined,
    startAgainUrl: query.get('again') ?? undefined,
    parameters: {},
  };
}

/** For one site shared by the tests of a file: what is registered in `before` runs last to first in `after`. */
export function collectCleanup(): Cleanup & { run(): Promise<void> } {
  const works: (() => Promise<void>)[] = [];
  return {
    after: (work) => void works.push(work),
    async run() {
      for (const work of works.reverse()) await work();
    },
  };
}
