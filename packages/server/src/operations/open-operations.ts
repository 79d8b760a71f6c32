import { allEnvironments, type Environment } from '../environments/environments.ts';
import { type Config, ConfigError } from '../runtime/config.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { newSecret } from '../runtime/ids.ts';
import { silentLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { checkOperatorKey } from '../runtime/operator-key.ts';
import { systemNow, systemRandom } from '../runtime/outside.ts';
import { createSecrets } from '../runtime/secrets.ts';
import type { Db } from '../storage/db.ts';

/** A deployment as an operator's command sees it: no server, only its database and operator keys. */
export type Operations = {
  readonly app: App;
  readonly environments: readonly Environment[];
  /** Context of work in one environment. */
  readonly contextOf: (environment: Environment) => Ctx;
};

/** What a command is told; everything else of a server's configuration does not matter to it. */
export type OperatorSettings = {
  readonly storage: Config['storage'];
  readonly secretKeys: readonly Uint8Array[];
};

/** The configuration of a process that serves nobody. The schema is never brought forward by it. */
export function operatorConfig({ storage, secretKeys }: OperatorSettings): Config {
  return {
    mode: 'serve',
    url: '',
    host: '127.0.0.1',
    port: 0,
    storage,
    secretKeys,
    client: undefined,
    mail: undefined,
    trustedProxies: [],
    tls: undefined,
    metricsToken: undefined,
    allowLoopbackClients: false,
    exposeToken: undefined,
    logLevel: 'silent',
  };
}

/**
 * Checks that this is a deployment's database and that the operator key fits, before anything is changed.
 *
 * @throws {ConfigError} no server has ever started on this database, or GATEWARDEN_SECRET_KEY is another one
 */
export async function openOperations(config: Config, db: Db): Promise<Operations> {
  const environments = await allEnvironments({ db });
  // Before the check of the key, which would adopt any key on an unused database.
  if (environments.length === 0)
    throw new ConfigError(
      'There is no environment in this database; check DATABASE_URL or the data folder, or start the server once.',
    );
  const secrets = createSecrets(config.secretKeys, systemRandom);
  await checkOperatorKey(db, secrets, systemNow());
  const app: App = {
    config,
    db,
    now: systemNow,
    random: systemRandom,
    fetch: async () => ({
      kind: 'failed',
      reason: 'connection',
      detail: 'an operator command makes no requests',
    }),
    log: silentLog,
    secrets,
    metrics: createMetrics(),
  };
  const requestId = `req_${newSecret(app, 12)}`;
  const contextOf = (environment: Environment): Ctx => ({
    ...app,
    environmentId: environment.id,
    issuer: environment.url,
    requestId,
    network: { address: '127.0.0.1', userAgent: 'gatewarden command line' },
  });
  return { app, environments, contextOf };
}
