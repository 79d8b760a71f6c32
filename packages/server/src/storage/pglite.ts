import { existsSync, openAsBlob } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import {
  checkChannel,
  checkSql,
  type Database,
  DatabaseUnavailable,
  type Db,
  isScript,
  type Sql,
} from './db.ts';
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
};

const QUEUE_TIMEOUT = 15_000;

/**
 * Opens the embedded database: one connection, one process. Data in a folder survive kill -9 but not power loss.
 *
 * @throws {DataFolderInUse} another process has the folder open
 */
export async function openPglite(options: PgliteOptions = {}): Promise<Database> {
  const migrations =
    options.migrationsFolder === undefined ? {} : { folder: options.migrationsFolder };
  if (options.dataDir === undefined) {
    const template = options.template ?? (await ensureTemplate(migrations));
    return databaseOf(await open({ loadDataDir: await openAsBlob(template) }));
  }
  const lock = await lockFolder(options.dataDir);
  try {
    const folder = join(options.dataDir, 'pgdata');
    if (!existsSync(folder))
      await unpack(options.template ?? (await ensureTemplate(migrations)), folder);
    const database = databaseOf(await open({ dataDir: folder }), lock.release);
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

function open(where: { dataDir: string } | { loadDataDir: Blob }): Promise<PGlite> {
  return PGlite.create(where);
}

/** The embedded engine behind our own interface; `release` runs once it is closed. */
export function databaseOf(
  pglite: PGlite,
  release: () => Promise<void> = async () => undefined,
): Database {
  const queue = exclusiveQueue();
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

  const connection: Connection = {
    run,
    begin: () => wire.control('begin'),
    commit: () => wire.control('commit'),
    rollback: () => wire.control('rollback'),
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
          } catch {
            // A listener that fails must not end the process, nor keep the others from hearing.
          }
        });
        return () => queue(() => stop());
      }),
    ping: async () => {
      await queue(() => wire.control('select 1'));
    },
    close: () => {
      closing ??= queue.close(async () => {
        try {
          await pglite.close();
        } finally {
          await release();
        }
      });
      return closing;
    },
  };
}

type Queue = {
  <T>(work: () => Promise<T>): Promise<T>;
  close(work: () => Promise<void>): Promise<void>;
};

/**
 * One at a time, first come first served. Who waits too long is told so: usually somebody inside of a transaction uses the
 * database beside it, which with one connection would wait for ever.
 */
function exclusiveQueue(): Queue {
  let tail: Promise<unknown> = Promise.resolve();
  let closed = false;
  const enter = <T>(work: () => Promise<T>): Promise<T> => {
    let late = false;
    const turn = tail.then(() => {
      clearTimeout(timer);
      return late ? undefined : work();
    });
    tail = turn.catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        late = true;
        reject(
          new DatabaseUnavailable(
            'the database does not answer: its one connection was busy for too long',
          ),
        );
      }, QUEUE_TIMEOUT).unref();
    });
    return Promise.race([turn as Promise<T>, timeout]); // undefined only when the time-out has rejected
  };
  const queue = <T>(work: () => Promise<T>): Promise<T> =>
    closed ? Promise.reject(new DatabaseUnavailable('the database is closed')) : enter(work);
  return Object.assign(queue, {
    close: (work: () => Promise<void>) => {
      closed = true;
      return enter(work);
    },
  });
}
