import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { UsageError } from '../errors.ts';

const sizeLimitBytes = 1_048_576;

/**
 * The variables of a file in the form `NAME=value`, over those of the process: what is in the file counts, since
 * it is what was asked about.
 *
 * @throws {UsageError} the file cannot be read, or is no such file
 */
export async function withEnvFile(
  env: Readonly<Record<string, string | undefined>>,
  path: string | undefined,
): Promise<Readonly<Record<string, string | undefined>>> {
  if (path === undefined) return env;
  const bytes = await readFile(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(`the file ${path} cannot be read (${code}).`);
  });
  if (bytes.length > sizeLimitBytes) throw new UsageError(`the file ${path} is larger than 1 MiB.`);
  return { ...env, ...parseEnv(bytes.toString('utf8')) };
}
