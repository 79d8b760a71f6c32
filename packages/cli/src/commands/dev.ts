import { mkdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import {
  type Config,
  developmentKeys,
  ensureMcpServer,
  environmentUrl,
  type Gatewarden,
  portNumber,
  secretKeys,
  startGatewarden,
  systemRandom,
} from '@gatewarden/server';
import type { Command } from 'commander';
import { commonConfig, databaseUrl, isOn, listensBeyondLoopback } from '../config.ts';
import { UsageError } from '../errors.ts';
import { type Io, untilStopped } from '../io.ts';
import { choosePort } from '../ports.ts';
import { block, type Ready, readyOf } from '../ready.ts';

type DevFlags = {
  port?: string;
  host?: string;
  dataDir?: string;
  memory?: boolean;
  demo?: boolean;
  demoPort?: string;
  allowLoopbackClients?: boolean;
  expose?: boolean;
  json?: boolean;
};

const DEFAULT_PORT = 8080;
const DEFAULT_DEMO_PORT = 3002;

/** `gatewarden dev`: a development server with nothing to install or configure. */
export function devCommand(program: Command, io: Io): void {
  program
    .command('dev')
    .description('Start a development server on the embedded database (or DATABASE_URL).')
    .option(
      '--port <number>',
      `port to listen at (default ${DEFAULT_PORT}, or the next that is free)`,
    )
    .option('--host <address>', 'address to listen at (default 127.0.0.1)')
    .option('--data-dir <folder>', 'folder of the embedded database (default .gatewarden)')
    .option('--memory', 'keep nothing: the database lives in memory')
    .option('--demo', 'also start a to-do MCP server that is protected by this server')
    .option(
      '--demo-port <number>',
      `port of the demo (default ${DEFAULT_DEMO_PORT}, or the next that is free)`,
    )
    .option(
      '--allow-loopback-clients',
      'accept client metadata documents from this machine, http included',
    )
    .option(
      '--expose',
      'allow listening beyond this machine; mailbox and static codes then need a printed token',
    )
    .option('--json', 'print one line of JSON when the server answers')
    .action(async (flags: DevFlags) => {
      await dev(flags, io);
    });
}

async function dev(flags: DevFlags, io: Io): Promise<void> {
  // Before anything is started: whoever reads the block below may stop us at once.
  const stopped = untilStopped(io);
  const started = await startDevelopment(flags, io);
  try {
    io.out(flags.json ? `${JSON.stringify(started.ready)}\n` : block(started.ready, io.env));
    await stopped;
  } finally {
    await started.close();
  }
}

/** Everything that `gatewarden dev` runs in this process. */
async function startDevelopment(
  flags: DevFlags,
  io: Io,
): Promise<{ ready: Ready; close: () => Promise<void> }> {
  const config = await developmentConfig(flags, io);
  const gatewarden = await startGatewarden(config);
  try {
    const demo = flags.demo ? await startDemoServer(flags, gatewarden) : undefined;
    const close = async (): Promise<void> => {
      await demo?.close();
      await gatewarden.close();
    };
    return { ready: readyOf(gatewarden, demo, config), close };
  } catch (error) {
    await gatewarden.close();
    throw error;
  }
}

async function startDemoServer(
  flags: DevFlags,
  gatewarden: Gatewarden,
): Promise<{ mcpUrl: string; resourceId: string; close: () => Promise<void> }> {
  // The demo brings the MCP SDK along, which nobody else needs in memory.
  const { demoScopes, startDemo } = await import('@gatewarden/demo');
  const port = await choosePort(
    '127.0.0.1',
    flags.demoPort === undefined ? undefined : portNumber('--demo-port', flags.demoPort),
    DEFAULT_DEMO_PORT,
  );
  const mcpUrl = `http://localhost:${port}/mcp`;
  const server = await ensureMcpServer(gatewarden.context(), {
    name: 'To-do demo',
    description: 'A to-do list that comes with Gatewarden.',
    serverUrl: mcpUrl,
    scopes: demoScopes.map((scope) => ({ ...scope })),
  });
  const demo = await startDemo({
    environmentUrl: gatewarden.url,
    resourceId: server.id,
    serverUrl: mcpUrl,
    port,
  });
  return { mcpUrl, resourceId: server.id, close: () => demo.close() };
}

async function developmentConfig(flags: DevFlags, io: Io): Promise<Config> {
  const { env } = io;
  const host = flags.host ?? env['HOST'] ?? '127.0.0.1';
  const beyond = listensBeyondLoopback(host);
  if (beyond && !flags.expose)
    throw new UsageError(
      `--host ${host} makes the development server reachable from other machines; add --expose if you want that.`,
    );
  const askedPort = flags.port ?? env['PORT'];
  const port = await choosePort(
    host,
    askedPort === undefined
      ? undefined
      : portNumber(flags.port === undefined ? 'PORT' : '--port', askedPort),
    DEFAULT_PORT,
  );
  const folder = resolve(flags.dataDir ?? env['GATEWARDEN_DATA_DIR'] ?? '.gatewarden');
  const common = await commonConfig(env, (path) => readFile(path, 'utf8'));
  const keys = env['GATEWARDEN_SECRET_KEY'];
  const url = databaseUrl(env);
  if (flags.memory && url !== undefined)
    throw new UsageError('--memory and DATABASE_URL exclude each other; leave one out.');
  if (!flags.memory && url === undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    ...common,
    operatorEmail: common.operatorEmail ?? 'operator@localhost',
    mode: 'dev',
    url: environmentUrl(
      env['GATEWARDEN_URL'] || `${common.tls ? 'https' : 'http'}://localhost:${port}`,
      'dev',
    ),
    host,
    port,
    storage: flags.memory
      ? { kind: 'memory' }
      : url === undefined
        ? { kind: 'folder', path: folder }
        : { kind: 'postgres', url },
    secretKeys: keys
      ? secretKeys(keys)
      : flags.memory
        ? [systemRandom(32)]
        : await developmentKeys(folder, systemRandom),
    allowLoopbackClients:
      flags.allowLoopbackClients === true || isOn(env, 'GATEWARDEN_ALLOW_LOOPBACK_CLIENTS'),
    exposeToken: beyond ? Buffer.from(systemRandom(16)).toString('base64url') : undefined,
  };
}
