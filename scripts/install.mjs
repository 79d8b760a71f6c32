// What is installed is what the lock file says: `npm ci` runs when it is not, and never twice at once.
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './child.mjs';

const STAMP = 'node_modules/.gatewarden-lock';
const PATIENCE_MS = 15 * 60_000;

const digest = (folder) =>
  createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');

/** Whether node_modules holds what the lock file says: our stamp matches it, or npm itself installed after its last change. */
export function isInstalled(folder) {
  const stamp = join(folder, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest(folder)) return true;
  const installed = join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  return statSync(installed).mtimeMs > statSync(join(folder, 'package-lock.json')).mtimeMs;
}

/** Says that node_modules is as the lock file wants it. */
export function stampInstalled(folder) {
  writeFileSync(join(folder, STAMP), digest(folder));
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Removes the lock of a process that is gone. Only the one that creates the link named after the dead owner may do so;
 * a look at what it linked tells whether the lock changed hands meanwhile.
 */
function takeOver(lock, owner) {
  const claim = `${lock}.${owner.id}`;
  try {
    linkSync(lock, claim);
  } catch {
    return;
  }
  if (JSON.parse(readFileSync(claim, 'utf8')).id === owner.id) rmSync(lock, { force: true });
  rmSync(claim, { force: true });
}

function readOwner(lock) {
  try {
    return JSON.parse(readFileSync(lock, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Runs work while no other process on this machine holds the same lock file. */
export async function withLock(lock, work) {
  const mine = `${lock}.new-${process.pid}`;
  const owner = { id: randomUUID(), pid: process.pid };
  const giveUpAt = Date.now() + PATIENCE_MS;
  let said = false;
  for (;;) {
    // Written first and linked into place, so that nobody ever reads a half-written lock.
    writeFileSync(mine, JSON.stringify(owner));
    try {
      linkSync(mine, lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      rmSync(mine, { force: true });
    }
    const other = readOwner(lock);
    if (other && !isAlive(other.pid)) takeOver(lock, other);
    else {
      if (Date.now() > giveUpAt)
        throw new Error(
          `another install has held ${lock} for 15 minutes; delete it if none is running`,
        );
      if (other && !said)
        process.stderr.write(`Waiting for the install of process ${other.pid} to end.\n`);
      said ||= other !== undefined;
      await sleep(200);
    }
  }
  try {
    return await work();
  } finally {
    if (readOwner(lock)?.id === owner.id) rmSync(lock, { force: true });
  }
}

/** npm, as the command and first arguments to run it with. */
export function npmCommand() {
  const script = process.env['npm_execpath'];
  if (script && /npm-cli\.[cm]?js$/.test(script)) return [process.execPath, script];
  return process.platform === 'win32' ? ['cmd.exe', '/c', 'npm'] : ['npm'];
}

/** Brings node_modules of a folder to its lock file. Returns whether anything was installed. */
export async function ensureInstalled(folder, install = npmCi) {
  if (isInstalled(folder)) return false;
  const cache = join(folder, '.cache');
  mkdirSync(cache, { recursive: true });
  return withLock(join(cache, 'install.lock'), async () => {
    if (isInstalled(folder)) return false;
    await install(folder);
    stampInstalled(folder);
    return true;
  });
}

async function npmCi(folder) {
  process.stderr.write(`Installing packages in ${folder} (npm ci) …\n`);
  const [command, ...first] = npmCommand();
  // npm's own words go to stderr: stdout belongs to the command that asked for the packages.
  const { code, signal } = await run(
    command,
    [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: folder,
      stdio: ['ignore', 2, 2],
    },
  );
  if (code !== 0) throw new Error(`npm ci in ${folder} ended with ${signal ?? `code ${code}`}`);
}
