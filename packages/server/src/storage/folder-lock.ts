import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import {
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The embedded engine takes no lock of its own, and two processes on one folder lose each other's rows without an error. */

/** Another process has the data folder open. The message is one sentence for the operator. */
export class DataFolderInUse extends Error {
  override name = 'DataFolderInUse';
}

/** `machine` names what a process id means something in; `startedAt` tells a recycled process id from its predecessor. */
type Holder = { pid: number; startedAt: string; machine: string; nonce: string };

/**
 * Lock files are numbered, and the one with the highest number decides: who finds its holder dead, or gone, makes the next.
 * The highest is never removed, only emptied, so a number is never given twice and no one can be overtaken by a slow rival.
 */
type Lock = { number: number; path: string };

const HEARTBEAT = 2000;
const NAME = /^gatewarden\.lock\.(\d+)$/;

/**
 * Takes the lock of a folder, or takes it over from a process that is dead.
 *
 * @throws {DataFolderInUse} a living process has it
 */
export async function lockFolder(folder: string): Promise<{ release(): Promise<void> }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own: Holder = {
    pid: process.pid,
    startedAt: startOf(process.pid) ?? '',
    machine: machine(),
    nonce: unique(),
  };
  const draft = join(folder, `gatewarden.draft-${own.nonce}`);
  await writeFile(draft, JSON.stringify(own), { mode: 0o600 });
  const { path } = await take(folder, draft).finally(() => rm(draft, { force: true }));
  // Seen by processes that cannot look up our process id: another container or machine on the same folder.
  const beat = setInterval(() => {
    touch(path).catch(() => undefined);
  }, HEARTBEAT).unref();
  return {
    release: async () => {
      clearInterval(beat);
      const text = await readFile(path, 'utf8').catch(() => '');
      if (text.includes(own.nonce)) await truncate(path);
    },
  };
}

async function take(folder: string, draft: string): Promise<Lock> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const last = await highest(folder);
    const holder = last && parse(await readFile(last.path, 'utf8').catch(() => ''));
    if (last && holder && (await lives(holder, last.path))) throw inUse(folder, holder);
    const number = (last?.number ?? 0) + 1;
    const next: Lock = { number, path: join(folder, `gatewarden.lock.${number}`) };
    try {
      // A link is made whole or not at all, so no one ever reads half a lock.
      await link(draft, next.path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
      throw error;
    }
    // We may have been slow, and the number used and removed before.
    if ((await highest(folder))?.number === number) {
      await removeBelow(folder, number);
      return next;
    }
    await rm(next.path, { force: true });
  }
  throw inUse(folder, undefined);
}

async function numbered(folder: string): Promise<Lock[]> {
  const locks = (await readdir(folder)).flatMap((name) => {
    const number = NAME.exec(name)?.[1];
    return number === undefined ? [] : [{ number: Number(number), path: join(folder, name) }];
  });
  return locks.sort((one, other) => other.number - one.number);
}

/** A listing may miss a file that appears, and the one it replaces, while it is made: two in a row must agree. */
async function highest(folder: string): Promise<Lock | undefined> {
  for (let [before] = await numbered(folder); ; ) {
    const [now] = await numbered(folder);
    if (now?.number === before?.number) return now;
    before = now;
  }
}

/** The one just below stays too, for a listing that is being made. */
async function removeBelow(folder: string, number: number): Promise<void> {
  for (const lock of await numbered(folder)) {
    if (lock.number < number - 1) await rm(lock.path, { force: true });
  }
}

/** Changes the time of modification and nothing else. */
async function touch(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write('{', 0).finally(() => file.close());
}

/** Unlike any other of this machine; not a secret. */
function unique(): string {
  return `${process.pid}-${process.hrtime.bigint().toString(36)}`;
}

async function lives(holder: Holder, path: string): Promise<boolean> {
  if (holder.machine === machine()) return startOf(holder.pid) === holder.startedAt;
  const before = await modified(path);
  for (let waited = 0; waited < 3 * HEARTBEAT; waited += 250) {
    await pause(250);
    if ((await modified(path)) !== before) return true;
  }
  return false;
}

async function modified(path: string): Promise<number> {
  return stat(path).then(
    (status) => status.mtimeMs,
    () => 0,
  );
}

/** When a living process started, in a form that is only compared; undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return undefined;
  }
  try {
    if (process.platform === 'linux') {
      // The name of the program, in brackets, may hold spaces and brackets; field 22 is the start in ticks since boot.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    }
    if (process.platform === 'win32') return 'unknown';
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C' },
    }).trim();
  } catch {
    return 'unknown';
  }
}

function machine(): string {
  if (process.platform !== 'linux') return process.platform;
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return process.platform;
  }
}

function parse(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, startedAt, machine, nonce } = value as Record<string, unknown>; // each field is checked in the next line
    if (
      typeof pid !== 'number' ||
      typeof startedAt !== 'string' ||
      typeof machine !== 'string' ||
      typeof nonce !== 'string'
    )
      return undefined;
    return { pid, startedAt, machine, nonce };
  } catch {
    return undefined;
  }
}

function inUse(folder: string, holder: Holder | undefined): DataFolderInUse {
  const who = holder
    ? `process ${holder.pid}${holder.machine === machine() ? '' : ' of another machine or container'}`
    : 'another process';
  return new DataFolderInUse(
    `The data folder ${folder} is in use by ${who}; stop it, or choose another folder.`,
  );
}
