import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ensureEnvironmentClient } from './clients/manage-clients.ts';
import {
  allEnvironments,
  type Environment,
  ensureFirstEnvironment,
} from './environments/environments.ts';
import { ownHosts, refreshSites, siteOf } from './environments/sites.ts';
import { checkTestUsers } from './environments/test-user-settings.ts';
import { explainError, renderProblem } from './error-answers.ts';
import { openCors } from './http/cors.ts';
import { edgeOf } from './http/edge.ts';
import { createHttp } from './http/fastify.ts';
import { mountHealth } from './http/health.routes.ts';
import { jobs } from './jobs.ts';
import {
  checkSigningKeys,
  ensureSigningKeys,
  forgetSigningKeys,
  signingTrouble,
} from './keys/signing-keys.ts';
import { mounts } from './mounts.ts';
import { OPEN_PATHS } from './oauth/discovery/open-paths.ts';
import { revocationsWritten } from './oauth/revocations/feeds.ts';
import { openStorage } from './open-storage.ts';
import { ensureFirstOperator } from './operators/operators.ts';
import { mountRpcs } from './rpcs.ts';
import { type Config, warnAboutConfig } from './runtime/config.ts';
import type { App, Ctx, ScopePolicy } from './runtime/context.ts';
import { createFindTxt } from './runtime/dns-txt.ts';
import { type Job, type RunningJobs, startJobs } from './runtime/jobs.ts';
import { createLog, type Log } from './runtime/log.ts';
import { createMetrics } from './runtime/metrics.ts';
import { checkOperatorKey } from './runtime/operator-key.ts';
import { systemNow, systemRandom } from './runtime/outside.ts';
import { createSafeFetch } from './runtime/safe-fetch.ts';
import { createSecrets } from './runtime/secrets.ts';
import { type Database, DatabaseUnavailable } from './storage/db.ts';
import { schemaState } from './storage/migrate.ts';
import { forgetRow, rememberRowsOf } from './storage/row-cache.ts';

/** What a program that embeds the server may decide, and what a test sets. */
export type Outside = {
  /** Narrows what people may grant (AS-48). */
  readonly permittedScopes?: ScopePolicy | undefined;
  readonly now?: () => Date;
  readonly random?: (bytes: number) => Uint8Array;
  readonly log?: Log;
  readonly database?: Database;
};

export type Gatewarden = {
  /** E. */
  readonly url: string;
  readonly environment: Environment;
  /** The environment client; its secret only where it may be read again (development). */
  readonly client: { readonly id: string; readonly secret: string | undefined };
  readonly app: App;
  /** A context for work that no request asked for, such as seeding. */
  readonly context: () => Ctx;
  /** Stops accepting, finishes requests in flight within ten seconds, closes the database. */
  readonly close: () => Promise<void>;
};

const SHUTDOWN_MS = 10_000;

/** A notification can be lost; an environment is known everywhere after this long all the same. */
const findEnvironments: Job = { name: 'find environments', everyMs: 20_000, run: refreshSites };

/** Starts a server: opens storage, makes sure of environment, keys and client, mounts every slice, listens. */
export async function startGatewarden(config: Config, outside: Outside = {}): Promise<Gatewarden> {
  const log = outside.log ?? createLog(config.logLevel);
  const random = outside.random ?? systemRandom;
  warnAboutConfig(config, log);
  const database = outside.database ?? (await openStorage(config, log));
  try {
    rememberRowsOf(database);
    const app: App = {
      config,
      db: database,
      now: outside.now ?? systemNow,
      random,
      fetch: createSafeFetch({
        allowLoopback: config.allowLoopbackClients,
        ownHosts: () => ownHosts(database),
      }),
      findTxt: createFindTxt(config.dnsServers),
      log,
      secrets: createSecrets(config.secretKeys, random),
      metrics: createMetrics({ processMetrics: config.mode === 'serve' }),
      permittedScopes: outside.permittedScopes,
    };
    return await serve(app, database, outside.database === undefined);
  } catch (error) {
    if (!outside.database) await database.close();
    throw error;
  }
}

async function serve(app: App, database: Database, ownsDatabase: boolean): Promise<Gatewarden> {
  await checkOperatorKey(app.db, app.secrets, app.now());
  const environment = await ensureFirstEnvironment(app);
  await ensureSigningKeys(app, environment.id);
  const environments = await allEnvironments(app);
  checkTestUsers(app, environments);
  for (const { id } of environments) await checkSigningKeys(app, id);
  const client = await ensureEnvironmentClient(app, environment);
  await ensureFirstOperator(contextIn(app, environment));
  await listenForChanges(app, database);
  await refreshSites(app);
  const http = createHttp({
    environmentOf: (host) => siteOf(app, host),
    random: app.random,
    log: app.log,
    metrics: app.metrics,
    explain: explainError,
    renderError: (problem, request) => renderProblem(app, problem, request),
    trustedProxies: app.config.trustedProxies,
    ...(app.config.tls ? { server: { tls: app.config.tls } } : {}),
  });
  const contextOf = (request: FastifyRequest): Ctx => ({ ...app, ...edgeOf(request) });
  openCors(http, OPEN_PATHS);
  mountHealth(http, {
    ready: () => whyNotReady(app, database, environment),
    metrics: app.metrics,
    token: app.config.metricsToken,
  });
  for (const mount of mounts) await mount(app, http, contextOf);
  mountRpcs(app, http);
  await http.listen({ port: app.config.port, host: app.config.host });
  // Last, so that a start that fails leaves nothing running.
  const background = startJobs(app, [...jobs, findEnvironments]);
  return {
    url: environment.url,
    environment,
    client,
    app,
    context: () => contextIn(app, environment),
    close: closing(http, background, ownsDatabase ? database : undefined),
  };
}

/** For work that no request asked for. */
function contextIn(app: App, environment: Environment): Ctx {
  return {
    ...app,
    environmentId: environment.id,
    issuer: environment.url,
    requestId: 'req_startup',
    network: { address: '127.0.0.1', userAgent: 'gatewarden' },
  };
}

function closing(
  http: FastifyInstance,
  background: RunningJobs,
  database: Database | undefined,
): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    // One half-sent request must not keep the process alive (measured: close() alone waits for ever).
    const impatience = setTimeout(() => http.server.closeAllConnections(), SHUTDOWN_MS);
    await http.close();
    clearTimeout(impatience);
    await background.stop();
    await database?.close();
  };
  return () => {
    closed ??= close();
    return closed;
  };
}

async function listenForChanges(app: App, database: Database): Promise<void> {
  await database.listen('gatewarden_rows', (payload) => {
    forgetRow(database, payload);
    if (payload === '' || payload.includes('"environments"'))
      // What fails now is tried again by the job.
      refreshSites(app).catch(() => undefined);
    // An empty payload says that notifications were missed.
    if (payload === '' || payload.includes('"signing_keys"')) forgetSigningKeys(database);
  });
  await database.listen('gatewarden_revocations', (payload) =>
    revocationsWritten(database, payload),
  );
}

async function whyNotReady(
  app: App,
  database: Database,
  environment: Environment,
): Promise<string | undefined> {
  try {
    await database.ping();
    const state = await schemaState(database);
    if (state !== 'current') return `the database schema is ${state} than this version`;
    return await signingTrouble({ ...app, environmentId: environment.id });
  } catch (error) {
    if (error instanceof DatabaseUnavailable) return 'the database does not answer';
    throw error;
  }
}
