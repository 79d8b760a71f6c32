import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type Config,
  ConfigError,
  createLog,
  environmentUrl,
  portNumber,
  secretKeys,
  startGatewarden,
} from '@gatewarden/server';
import type { Command } from 'commander';
import { commonConfig, databaseUrl, isOn } from '../config.ts';
import { type Io, untilStopped } from '../io.ts';
import {
  isWorker,
  leave,
  reportReady,
  superviseWorkers,
  type WorkerReady,
  workerCount,
} from '../workers.ts';

/** `gatewarden serve`: a production server, configured by the environment alone. */
export function serveCommand(program: Command, io: Io): void {
  program
    .command('serve')
    .description(
      'Start a production server. Needs GATEWARDEN_URL, GATEWARDEN_SECRET_KEY and DATABASE_URL (or --embedded).',
    )
    .option(
      '--embedded',
      'use the embedded database: one process, and a power loss can lose the last writes',
    )
    .option('--json', 'print one line of JSON when the server answers')
    .action(async (flags: { embedded?: boolean; json?: boolean }) => {
      const config = await productionConfig(flags, io);
      const log = createLog(config.logLevel);
      if (config.storage.kind === 'folder')
        log.warn(
          { folder: config.storage.path },
          'the embedded database never waits for the disk: a power loss can lose the last writes, and only this process can use it',
        );
      const workers = workerCount(io.env, config.storage.kind === 'folder');
      const announce = (ready: WorkerReady): void => io.out(readyText(ready, config, flags));
      if (workers > 1 && !isWorker()) await superviseWorkers(io, workers, announce);
      else await serveHere(config, log, io, isWorker() ? reportReady : announce).finally(leave);
    });
}

async function serveHere(
  config: Config,
  log: ReturnType<typeof createLog>,
  io: Io,
  announce: (ready: WorkerReady) => void,
): Promise<void> {
  const stopped = untilStopped(io);
  const gatewarden = await startGatewarden(config, { log });
  try {
    const { id, secret } = gatewarden.client;
    announce({
      ready: true,
      environmentUrl: gatewarden.url,
      clientId: id,
      ...(secret === undefined || config.client ? {} : { clientSecret: secret }),
    });
    await stopped;
  } finally {
    await gatewarden.close();
  }
}

/** The secret of a client that was just made is shown here once and never again. */
function readyText(ready: WorkerReady, config: Config, flags: { json?: boolean }): string {
  if (flags.json) return `${JSON.stringify({ ...ready, pid: process.pid })}\n`;
  const secret =
    ready.clientSecret === undefined
      ? ''
      : `\n  The environment client was made. Its secret is shown this once:\n\n  SCALEKIT_CLIENT_ID=${ready.clientId}\n  SCALEKIT_CLIENT_SECRET=${ready.clientSecret}\n\n`;
  return `Gatewarden serves ${ready.environmentUrl} on ${config.host}:${config.port}\n${secret}`;
}

/** @throws {ConfigError} the first setting that is missing or wrong, by name */
async function productionConfig(flags: { embedded?: boolean }, io: Io): Promise<Config> {
  const { env } = io;
  const url = env['GATEWARDEN_URL'];
  if (!url)
    throw new ConfigError(
      'GATEWARDEN_URL is not set; give the public https address of this server.',
    );
  const keys = env['GATEWARDEN_SECRET_KEY'];
  if (!keys)
    throw new ConfigError(
      'GATEWARDEN_SECRET_KEY is not set; make one with: openssl rand -base64 32',
    );
  const database = databaseUrl(env);
  if (database === undefined && !flags.embedded)
    throw new ConfigError(
      'DATABASE_URL is not set; give a postgres:// address, or accept the embedded database with --embedded.',
    );
  if (isOn(env, 'GATEWARDEN_ALLOW_LOOPBACK_CLIENTS'))
    throw new ConfigError(
      'GATEWARDEN_ALLOW_LOOPBACK_CLIENTS is on; it is for development only and has to be off here.',
    );
  return {
    ...(await commonConfig(env, (path) => readFile(path, 'utf8'))),
    mode: 'serve',
    url: environmentUrl(url, 'serve'),
    host: env['HOST'] ?? '0.0.0.0',
    port: portNumber('PORT', env['PORT'] ?? '8080'),
    storage:
      database === undefined
        ? { kind: 'folder', path: resolve(env['GATEWARDEN_DATA_DIR'] ?? '.gatewarden') }
        : { kind: 'postgres', url: database },
    secretKeys: secretKeys(keys),
    allowLoopbackClients: false,
    exposeToken: undefined,
  };
}
