// The lock file names every optional platform package, also those that the registry in use does not show.
//
// A registry mirror may lack packages for other systems; `npm install` then leaves them out of the lock and
// `npm ci` refuses it ("Missing … from lock file"). This adds each one as a stub: its version, and the system it is for.
//
//   node scripts/complete-lockfile.mjs [--check] [FOLDER …]
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SYSTEMS = {
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  linuxmusl: 'linux',
  openharmony: 'openharmony',
  win: 'win32',
  win32: 'win32',
  windows: 'win32',
};
const PROCESSORS = {
  aarch64: 'arm64',
  arm: 'arm',
  arm64: 'arm64',
  armv6: 'arm',
  armv7: 'arm',
  ia32: 'ia32',
  loong64: 'loong64',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  wasm32: 'wasm32',
  x64: 'x64',
};

/** The system a platform package is for, read from its name; undefined when the name does not tell. */
export function platformOf(name) {
  const words = name.split(/[@/_-]/);
  const os = words.map((word) => SYSTEMS[word]).find(Boolean);
  const cpu = words.map((word) => PROCESSORS[word]).find(Boolean);
  if (!os && !cpu) return undefined;
  const musl = words.some((word) => word.includes('musl'));
  const glibc = words.some((word) => word.startsWith('gnu'));
  return {
    ...(os && { os: [os] }),
    ...(cpu && { cpu: [cpu] }),
    ...(os === 'linux' && (musl || glibc) && { libc: [musl ? 'musl' : 'glibc'] }),
  };
}

/** Where Node would find a dependency of the package at `from`: the nearest node_modules above it that the lock names. */
function findInLock(packages, from, name) {
  for (let folder = from; ; ) {
    const path = folder ? `${folder}/node_modules/${name}` : `node_modules/${name}`;
    if (packages[path]) return path;
    if (!folder) return undefined;
    const cut = folder.lastIndexOf('/node_modules/');
    folder = cut > 0 ? folder.slice(0, cut) : '';
  }
}

/** Adds the missing stubs to a parsed lock file; returns their names. */
export function completeLock(lock) {
  const packages = lock.packages;
  const added = [];
  for (const [from, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (findInLock(packages, from, name)) continue;
      const platform = platformOf(name);
      if (!platform)
        throw new Error(
          `${name} is missing from the lock file and its name does not tell its system`,
        );
      const version = range.replace(/^npm:.*@(?=[^@]+$)/, '').replace(/^[\^~=v]+/, '');
      if (!/^\d+\.\d+\.\d+/.test(version))
        throw new Error(`${name}: cannot tell a version from "${range}"`);
      const { os, cpu, libc } = platform;
      // The members in the order npm writes them, so that its next write changes nothing.
      packages[`node_modules/${name}`] = {
        version,
        ...(cpu && { cpu }),
        ...(entry.dev === true && { dev: true }),
        ...(libc && { libc }),
        optional: true,
        ...(os && { os }),
      };
      added.push(name);
    }
  }
  if (added.length === 0) return added;
  const { '': root, ...rest } = packages;
  const sorted = Object.keys(rest).sort((a, b) => a.localeCompare(b, 'en'));
  lock.packages = { '': root, ...Object.fromEntries(sorted.map((path) => [path, rest[path]])) };
  return added;
}

/** What a lock file must not say: which host its packages came from. */
export function hostsIn(lock) {
  return Object.entries(lock.packages)
    .filter(([, entry]) => /^[a-z+]+:\/\//i.test(entry.resolved ?? ''))
    .map(([path]) => path);
}

function main(args) {
  const check = args.includes('--check');
  const root = resolve(fileURLToPath(import.meta.url), '../..');
  const named = args.filter((arg) => !arg.startsWith('--'));
  const folders =
    named.length > 0 ? named.map((folder) => resolve(folder)) : [root, join(root, 'conformance')];
  let failed = false;
  for (const folder of folders) {
    const path = join(folder, 'package-lock.json');
    const lock = JSON.parse(readFileSync(path, 'utf8'));
    const added = completeLock(lock);
    const hosts = hostsIn(lock);
    console.log(
      `${path.slice(root.length + 1)}: ${Object.keys(lock.packages).length} packages, ${added.length} stubs ${check ? 'missing' : 'added'}, ${hosts.length} name a host`,
    );
    if (added.length > 0 && !check) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
    if (hosts.length > 0 || (check && added.length > 0)) failed = true;
  }
  if (failed) {
    console.error(
      'Run "node scripts/complete-lockfile.mjs"; the lock file must not name a registry host (.npmrc: omit-lockfile-registry-resolved).',
    );
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
