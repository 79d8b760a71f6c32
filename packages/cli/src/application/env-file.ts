import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
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
  const text = await readText(path).catch((error: unknown) => {
    if (error instanceof UsageError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(`the file ${path} cannot be read (${code}).`);
  });
  return { ...env, ...parseEnv(text) };
}

/** A pipe could be waited for, and a device read, without end: neither is opened for longer than a look at it. */
async function readText(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new UsageError(`${path} is no file.`);
    if (found.size > sizeLimitBytes) throw new UsageError(`the file ${path} is larger than 1 MiB.`);
    const text = await file.readFile('utf8');
    if (text.includes('\0')) throw new UsageError(`the file ${path} is no text.`);
    return text;
  } finally {
    await file.close();
  }
}
