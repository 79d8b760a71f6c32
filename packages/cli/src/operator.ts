import { access, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  type Config,
  ConfigError,
  type Ctx,
  developmentKeys,
  type Operations,
  openOperations,
  openStorage,
  operatorConfig,
  secretKeys,
  silentLog,
  systemRandom,
} from '@gatewarden/server';
import type { Command } from 'commander';
import { databaseUrl } from './config.ts';
import { Refused, UsageError } from './errors.ts';
import type { Io } from './io.ts';

/** Flags of every command that works on the database itself. */
export type OperatorFlags = {
  environment?: string;
  dataDir?: string;
  json?: boolean;
  yes?: boolean;
};

/** Adds what every such command knows. `destructive` ones ask before they begin, unless `--yes` is given. */
export function operatorCommand(command: Command, options: { destructive: boolean }): Command {
  const withCommon = command
    .option('--data-dir <folder>', 'folder of the embedded database, when DATABASE_URL is not set')
    .option('--json', 'print one line of JSON');
  return options.destructive
    ? withCommon.option('--yes', 'do not ask; needed where nobody can answer')
    : withCommon;
}

export function environmentOption(command: Command): Command {
  return command.option(
    '--environment <id or URL>',
    'which environment, when the deployment has several',
  );
}

/** Opens the deployment's database with DATABASE_URL and GATEWARDEN_SECRET_KEY, or the data folder, and closes it afterwards. */
export async function withOperations<T>(
  flags: OperatorFlags,
  io: Io,
  work: (operations: Operations) => Promise<T>,
): Promise<T> {
  const config = await configOf(flags, io);
  const database = await openStorage(config, silentLog);
  try {
    return await work(await openOperations(config, database));
  } finally {
    await database.close();
  }
}

/** @throws {ConfigError} where the database is, or its operator key, is not said */
async function configOf(flags: OperatorFlags, io: Io): Promise<Config> {
  const { env } = io;
  const folder = resolve(flags.dataDir ?? env['GATEWARDEN_DATA_DIR'] ?? '.gatewarden');
  const url = databaseUrl(env);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (url === undefined && !isFolder)
    throw new ConfigError(
      `DATABASE_URL is not set and there is no data folder ${folder}; set DATABASE_URL, or give the folder with --data-dir.`,
    );
  const keys = env['GATEWARDEN_SECRET_KEY'];
  return operatorConfig({
    storage: url === undefined ? { kind: 'folder', path: folder } : { kind: 'postgres', url },
    secretKeys: keys ? secretKeys(keys) : await keysOfFolder(folder),
  });
}

/** The key of a development folder; a command never makes one. */
async function keysOfFolder(folder: string): Promise<Uint8Array[]> {
  try {
    await access(join(folder, 'secret-key'));
  } catch {
    throw new ConfigError(
      'GATEWARDEN_SECRET_KEY is not set; give the operator key that the server runs with.',
    );
  }
  return await developmentKeys(folder, systemRandom);
}

/**
 * The environment meant, as the context of the work.
 *
 * @throws {UsageError} none or several fit
 */
export function contextIn(operations: Operations, flags: OperatorFlags): Ctx {
  const { environments } = operations;
  const asked = flags.environment;
  const fitting = environments.filter(
    ({ id, url }) => asked === undefined || id === asked || url === asked,
  );
  const [only] = fitting;
  if (only && fitting.length === 1) return operations.contextOf(only);
  const known = environments.map(({ id, url }) => `${id} (${url})`).join(', ');
  throw new UsageError(
    asked === undefined
      ? `there are several environments; name one with --environment: ${known}.`
      : `there is no environment "${asked}"; there are: ${known}.`,
  );
}

/**
 * Says what is about to happen and waits for "yes".
 *
 * @throws {UsageError} nobody can answer and --yes was not given
 * @throws {Refused} the answer is another one
 */
export async function confirm(flags: OperatorFlags, io: Io, what: string): Promise<void> {
  if (flags.yes) return;
  if (!io.ask)
    throw new UsageError(`${what} Add --yes to do it where nobody can be asked; nothing was done.`);
  const answer = await io.ask(`${what}\nType yes to go on: `);
  if (answer.trim() !== 'yes') throw new Refused('nothing was done.');
}

/** One line of JSON for programs, or the sentence for people. */
export function answer(flags: OperatorFlags, io: Io, value: unknown, sentence: string): void {
  io.out(flags.json ? `${JSON.stringify(value)}\n` : `${sentence}\n`);
}
