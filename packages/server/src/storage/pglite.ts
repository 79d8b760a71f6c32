import { existsSync, openAsBlob } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { PGlite } from '@electric-sql/pglite';
import { checkChannel, checkSql, type Database, type Db, isScript, type Sql } from './db.ts';
import { exclusiveQueue } from './exclusive-queue.ts';
import { failureOf } from './failures.ts';
import { lockFolder } from './folder-lock.ts';
import { schemaState } from './migrate.ts';
import { wireOf } from './pglite-wire.ts';
import { unpack } from './tar.ts';
import { ensureTemplate } from './template.ts';
import { type Connection, repeat, runTransaction } from './transaction.ts';
import { encode } from './values.ts';

export type PgliteOptions = {
  /** Folder that keeps the data; without one they live in memory. */
  dataDir?: string;
  /** A tar made by ensureTemplate(), which is what is used by default. */
  template?: string;
  /** @default the migrations of this package */
  migrationsFolder?: string;
  log?: Log;
};
type Log = (message: string, fields: Record<string, unknown>) => void;

/**
 * Opens the embedded database: one connection, one process. Data in a folder survive kill -9 but not power loss.
 *
 * @throws {DataFolderInUse} another process has the folder open
 */
export async function openPglite(options: PgliteOptions = {}): Promise<Database> {
  const log = options.log ? { log: options.log } : {};
  const migrations =
    options.migrationsFolder === undefined ? {} : { folder: options.migrationsFolder };
  if (options.dataDir === undefined) {
    const template = options.template ?? (await ensureTemplate(migrations));
    return databaseOf(await startEngine({ loadDataDir: await openAsBlob(template) }), log);
  }
  const lock = await lockFolder(options.dataDir);
  try {
    const folder = join(options.dataDir, 'pgdata');
    if (!existsSync(folder))
      await unpack(options.template ?? (await ensureTemplate(migrations)), folder);
    const engine = await startEngine({ dataDir: folder }).catch((error: unknown) => {
      throw new Error(`The data in ${options.dataDir} cannot be opened: ${String(error)}`);
    });
    const database = databaseOf(engine, { release: lock.release, ...log });
    if ((await schemaState(database, migrations)) === 'newer') {
      await database.close();
      throw new Error(
        `The data in ${options.dataDir} were written by a newer version of Gatewarden; run that version or choose another folder.`,
      );
    }
    return database;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

// Half of the memory that the engine takes by default, which is sized for servers.
const SETTINGS = {
  shared_buffers: '32MB',
  min_wal_size: '2MB',
  max_wal_size: '32MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
};

/** The engine itself; without a place it makes a new database cluster, which only template.ts wants. */
export function startEngine(where: { dataDir?: string; loadDataDir?: Blob }): Promise<PGlite> {
  // V8's optimizing compiler takes 600 MB for one function of the engine, a second or two after start, and 90 MB for good.
  // Without it a statement costs a fifth more, and a container of 512 MB is enough. It takes both flags.
  setFlagsFromString('--no-wasm-tier-up');
  setFlagsFromString('--no-wasm-dynamic-tiering');
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return PGlite.create({
    ...where,
    startParams: [...PGlite.defaultStartParams, ...settings],
    // Segments of the write-ahead log of 1 MB instead of 16.
    initDbStartParams: ['--wal-segsize=1'],
  });
}

/** The embedded engine behind our own interface; `release` runs once it is closed. */
export function databaseOf(
  pglite: PGlite,
  hooks: { release?: () => Promise<void>; log?: Log; longestWait?: number } = {},
): Database {
  const queue = exclusiveQueue(hooks.longestWait);
  const wire = wireOf(pglite);
  let closing: Promise<void> | undefined;

  async function run<T>(query: Sql): Promise<T[]> {
    checkSql(query);
    try {
      if (!isScript(query)) {
        // The caller names the columns in the statement itself.
        return (await wire.rows(query.text, query.values.map(encode))) as T[];
      }
      await pglite.exec(query.text);
      return [];
    } catch (error) {
      throw failureOf(error);
    }
  }

  async function control(text: string): Promise<string> {
    try {
      return await wire.control(text);
    } catch (error) {
      throw failureOf(error);
    }
  }

  const connection: Connection = {
    run,
    begin: () => control('begin'),
    commit: () => control('commit'),
    rollback: () => control('rollback'),
  };
  const db: Db = {
    engine: 'pglite',
    rows: <T>(query: Sql) => queue(() => repeat(() => run<T>(query))),
    transaction: (work) => queue(() => repeat(() => runTransaction('pglite', connection, work))),
  };
  return {
    ...db,
    listen: (channel, onMessage) =>
      queue(async () => {
        const stop = await pglite.listen(checkChannel(channel), (payload) => {
          try {
            onMessage(payload);
          } catch (error) {
            hooks.log?.('a listener failed', { channel, reason: String(error) });
          }
        });
        return () => queue(() => stop());
      }),
    ping: async () => {
      await queue(() => control('select 1'));
    },
    close: () => {
      closing ??= queue.close(async () => {
        try {
          await pglite.close();
        } finally {
          await hooks.release?.();
        }
      });
      return closing;
    },
  };
}
