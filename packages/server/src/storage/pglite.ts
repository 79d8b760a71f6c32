import { existsSync, openAsBlob } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { checkSql, type Database, DatabaseUnavailable, type Db, isScript, type Sql } from './db.ts';
import { failureOf } from './failures.ts';
import { lockFolder } from './folder-lock.ts';
import { schemaState } from './migrate.ts';
import { unpack } from './tar.ts';
import { ensureTemplate } from './template.ts';
import { runTransaction } from './transaction.ts';
import { encode, parsedTypes, parserOf } from './values.ts';

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
  return PGlite.create({
    ...where,
    parsers: Object.fromEntries(parsedTypes.map((oid) => [oid, parserOf(oid)])),
    serializers: { 17: String },
  });
}

/** The embedded engine behind our own interface; `release` runs once it is closed. */
export function databaseOf(
  pglite: PGlite,
  release: () => Promise<void> = async () => undefined,
): Database {
  const queue = exclusiveQueue();
  let closing: Promise<void> | undefined;

  async function run<T>(query: Sql): Promise<T[]> {
    checkSql(query);
    try {
      if (isScript(query)) {
        await pglite.exec(query.text);
        return [];
      }
      const result = await pglite.query<T>(query.text, query.values.map(encode));
      return result.rows;
    } catch (error) {
      throw failureOf(error);
    }
  }

  const db: Db = {
    engine: 'pglite',
    rows: <T>(query: Sql) => queue(() => run<T>(query)),
    transaction: (work) =>
      queue(() =>
        runTransaction(
          'pglite',
          {
            run,
            begin: async () => {
              await pglite.exec('begin');
            },
            commit: async () => tagOf(await pglite.exec('commit')),
            rollback: async () => {
              await pglite.exec('rollback');
            },
          },
          work,
        ),
      ),
  };
  return {
    ...db,
    listen: (channel, onMessage) =>
      queue(async () => {
        const stop = await pglite.listen(`"${channel.replaceAll('"', '""')}"`, (payload) => {
          queueMicrotask(() => onMessage(payload));
        });
        return () => queue(() => stop());
      }),
    ping: async () => {
      await queue(() => pglite.query('select 1'));
    },
    close: () => {
      closing ??= queue.close(() => pglite.close()).finally(release);
      return closing;
    },
  };
}

/** The result of the last statement; the type of the driver leaves out its command tag. */
function tagOf(results: object[]): string {
  const tag: unknown = Reflect.get(results.at(-1) ?? {}, 'command');
  return typeof tag === 'string' ? tag : '';
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
