import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DataFolderInUse, lockFolder } from './folder-lock.ts';
import { type Migration, type Options, readMigrations } from './migrate.ts';

/**
 * A migrated, empty database as an archive. Making a database cluster takes several hundred megabytes that a process never
 * gives back, so a server loads this instead and a child process makes it when it is not there yet.
 */

/** Grows when make-template.ts changes what it makes. */
const FORMAT = 2;
const KEEP = 2 * 24 * 3600 * 1000;
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));

/** Path of the template for these migrations: the one shipped with the package, else from the cache, else newly made. */
export async function ensureTemplate(options: Options = {}): Promise<string> {
  const name = await templateName(options);
  const shipped = [join(PACKAGE, 'template', name), join(PACKAGE, 'template', `${name}.gz`)];
  const found = shipped.find((path) => existsSync(path));
  if (found) return found;
  const folder = await cacheFolder();
  const path = join(folder, name);
  while (!existsSync(path)) {
    try {
      const lock = await lockFolder(join(folder, 'making'));
      try {
        if (!existsSync(path)) await make(folder, path, options);
      } finally {
        await lock.release();
      }
    } catch (error) {
      // Another process is making one, maybe this one.
      if (!(error instanceof DataFolderInUse)) throw error;
      await pause(50);
    }
  }
  return path;
}

/** Anything that decides on the content is in the name, so a template is never wrong, only unused. */
export async function templateName(options: Options = {}): Promise<string> {
  return nameFor(await readMigrations(options));
}

async function nameFor(migrations: Migration[]): Promise<string> {
  const hash = createHash('sha256').update(`format ${FORMAT}\n`);
  for (const { name, hash: content } of migrations) hash.update(`${name} ${content}\n`);
  return `pglite-${await pgliteVersion()}-${hash.digest('hex').slice(0, 16)}.tar`;
}

/** Makes a template in a process of its own, from the one without migrations when that is there: that saves seconds. */
async function make(folder: string, path: string, options: Options): Promise<void> {
  const entry = new URL(
    `./make-template${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
    import.meta.url,
  );
  const bare = join(folder, await nameFor([]));
  const child = spawn(
    process.execPath,
    [fileURLToPath(entry), path, bare, ...(options.folder === undefined ? [] : [options.folder])],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2000);
  });
  const code = await new Promise((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (code !== 0)
    throw new Error(`the template of the embedded database could not be made: ${complaint.trim()}`);
  await prune(folder, path);
}

/** Each change of a migration leaves a template behind. The new one's own time is the clock. */
async function prune(folder: string, path: string): Promise<void> {
  const { mtimeMs: now } = await stat(path);
  for (const name of (await readdir(folder)).filter((each) => each.startsWith('pglite-'))) {
    const old = join(folder, name);
    if (now - (await stat(old)).mtimeMs > KEEP) await rm(old, { force: true });
  }
}

async function pgliteVersion(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const manifest: unknown = JSON.parse(await readFile(join(entry, '../../package.json'), 'utf8'));
  const version: unknown = Reflect.get(Object(manifest), 'version');
  if (typeof version !== 'string') throw new Error('the version of PGlite is not known');
  return version;
}

/** Beside the dependencies when that is writable, else where the operating system keeps caches, else the temporary folder. */
async function cacheFolder(): Promise<string> {
  const engine = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const modules = engine.slice(0, engine.lastIndexOf('node_modules') + 'node_modules'.length);
  const home =
    process.platform === 'darwin' ? join(homedir(), 'Library/Caches') : join(homedir(), '.cache');
  for (const folder of [join(modules, '.cache/gatewarden'), join(home, 'gatewarden')]) {
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, constants.W_OK);
      return folder;
    } catch {
      // The next one.
    }
  }
  const folder = join(tmpdir(), `gatewarden-${process.getuid?.() ?? 'cache'}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}
