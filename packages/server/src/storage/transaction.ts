import { DatabaseUnavailable, type Db, type Sql } from './db.ts';
import { isRepeatable, isStalePlan } from './failures.ts';

const ATTEMPTS = 3;

/** One connection, ours alone while the transaction lasts. `commit` returns the command tag of the answer. */
export type Connection = {
  run<T>(query: Sql): Promise<T[]>;
  begin(): Promise<unknown>;
  commit(): Promise<string>;
  rollback(): Promise<unknown>;
};

/** Runs `work` between BEGIN and COMMIT. Its statements go one after the other even when it does not wait for them. */
export async function runTransaction<T>(
  engine: Db['engine'],
  connection: Connection,
  work: (db: Db) => Promise<T>,
): Promise<T> {
  let open = true;
  let doom: { error: unknown } | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  const db: Db = {
    engine,
    rows: <R>(query: Sql) => {
      if (!open) return Promise.reject(new Error('the transaction is over'));
      const result = tail.then(() => connection.run<R>(query));
      tail = result.catch(() => undefined);
      return result;
    },
    transaction: async (inner) => {
      if (!open) throw new Error('the transaction is over');
      try {
        return await inner(db);
      } catch (error) {
        doom ??= { error };
        throw error;
      }
    },
  };
  await connection.begin();
  try {
    const result = await work(db);
    open = false;
    await tail;
    if (doom) throw doom.error;
    // After a failed statement COMMIT answers ROLLBACK and no error; if `work` swallowed the failure nobody else would know.
    const tag = await connection.commit();
    if (tag !== 'COMMIT')
      throw new Error('the transaction was rolled back: a statement in it failed');
    return result;
  } catch (error) {
    open = false;
    await tail;
    // Harmless when the transaction is over; when the connection is gone the server has rolled back.
    await connection.rollback().catch(() => undefined);
    throw error;
  }
}

/**
 * Sends again what the server has undone, all of it: a deadlock, a serialization failure, a plan older than the schema. Who loses
 * every time meets a crowd and no fault: the caller may try later.
 */
export async function repeat<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(isRepeatable(error) || isStalePlan(error))) throw error;
      if (attempt >= ATTEMPTS)
        throw new DatabaseUnavailable('the database does not answer: too many conflicts');
    }
  }
}
