import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const requirements = join(import.meta.dirname, 'requirements.txt');
const cache = resolve(import.meta.dirname, '../../node_modules/.cache');
const installMs = 420_000;

/** A Python that has the pinned packages, or why there is none. */
export type Python =
  | { readonly kind: 'ready'; readonly command: string }
  | { readonly kind: 'absent'; readonly reason: string };

/**
 * Makes a virtual environment with requirements.txt once; the next run finds it. Where packages come from is pip's own
 * configuration.
 */
export async function pythonEnvironment(): Promise<Python> {
  const version = await run('python3', ['--version']).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (version === undefined) return { kind: 'absent', reason: 'there is no python3 here' };
  const hash = createHash('sha256').update(version).update(readFileSync(requirements));
  const folder = join(cache, `python-${hash.digest('hex').slice(0, 16)}`);
  const command = join(folder, 'bin', 'python');
  if (existsSync(command)) return { kind: 'ready', command };
  // Elsewhere first: a folder with this name is a whole one. Its programs are not moved, only its packages are used.
  const half = `${folder}-${process.pid}`;
  try {
    mkdirSync(cache, { recursive: true });
    await run('python3', ['-m', 'venv', half]);
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      requirements,
    ];
    await run(join(half, 'bin', 'python'), pip, { timeout: installMs, maxBuffer: 16_777_216 });
    renameSync(half, folder);
    return { kind: 'ready', command };
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (existsSync(command)) return { kind: 'ready', command }; // another run was faster
    const text = error instanceof Error ? error.message : String(error);
    return { kind: 'absent', reason: `python3 cannot install the SDK: ${text.slice(0, 500)}` };
  }
}
