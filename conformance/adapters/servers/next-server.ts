import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { McpServerOptions } from '@gatewarden/resource-server';
import { clientOf } from '@gatewarden/resource-server/testing/guarded-server';
import type { Adapter, Call, Start } from '../target.ts';
import { freePort } from './free-port.ts';

const app = fileURLToPath(new URL('../next-app/', import.meta.url));
const next = createRequire(import.meta.url).resolve('next/dist/bin/next');
const distDir = `.next/${process.pid}`;

function environment(server: McpServerOptions | undefined): NodeJS.ProcessEnv {
  // Functions do not travel; the clocks of both processes are those of the machine.
  const { now: _now, log: _log, ...declaration } = server ?? { serverUrl: '' };
  return {
    ...process.env,
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    NEXT_DIST: distDir,
    MCP_SERVER: JSON.stringify(declaration),
  };
}

let built: Promise<void> | undefined;

/** Builds the app once for all of its servers; the declaration is read again when one starts. */
function build(server: McpServerOptions | undefined): Promise<void> {
  built ??= (async () => {
    const env = environment(server);
    const child = spawn(process.execPath, [next, 'build'], { cwd: app, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk;
      });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`next build failed: ${output}`);
  })();
  return built;
}

/** Removes what was built; after the last test of a process. */
export async function removeBuild(): Promise<void> {
  await rm(`${app}${distDir}`, { recursive: true, force: true, maxRetries: 5 });
}

const start: Start = async (t, [server], ran) => {
  await build(server);
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [next, 'start', '--port', String(port), '--hostname', '127.0.0.1'],
    { cwd: app, stdio: ['ignore', 'pipe', 'ignore'], env: environment(server) },
  );
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      if (line.includes('Ready in')) resolve();
      const [, call] = /^CALL (\S+)$/.exec(line) ?? [];
      if (call !== undefined) ran(JSON.parse(decodeURIComponent(call)) as Call); // written by the tools of the app
    });
    child.on('exit', () => reject(new Error('next start has ended')));
  });
  return clientOf(port);
};

const firstOnly =
  'Next.js makes a Request of what Node has kept, which is the first of two headers';

export const nextAdapter: Adapter = {
  name: 'Next.js',
  start,
  apart: true,
  except: {
    publicPath: 'a route handler stands at one path; public routes are routes of their own',
    twoServers: 'the app has one endpoint',
    twoHeaders: firstOnly,
    twoTypes: firstOnly,
  },
};
