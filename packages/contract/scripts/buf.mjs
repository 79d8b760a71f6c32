// Runs buf from the lock file. Nothing here needs a network: the compiler and its plugin come as npm packages.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package. */
export const contract = resolve(fileURLToPath(import.meta.url), '../..');

/** Runs one command of buf in this package. The plugin is started by the Node.js that runs this script. */
export function buf(args) {
  const bin = ['../../node_modules/.bin', 'node_modules/.bin']
    .map((path) => resolve(contract, path))
    .find(existsSync);
  if (!bin) throw new Error('packages are not installed; run npm ci');
  const path = [dirname(process.execPath), bin, process.env.PATH].join(delimiter);
  try {
    execFileSync(resolve(bin, 'buf'), args, {
      cwd: contract,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new Error(
      `buf ${args[0]} failed:\n${error.stdout ?? ''}${error.stderr ?? error.message}`,
    );
  }
}
