import pg from 'pg';
import { checkSql, type Database, DatabaseUnavailable, type Db, isScript, type Sql } from './db.ts';
import { failureOf, isStalePlan } from './failures.ts';
import { openListener } from './postgres-listen.ts';
import { type PreparedNames, preparedNames } from './prepared-names.ts';
import { repeat, runTransaction } from './transaction.ts';
import { encode, parserOf } from './values.ts';

export type PostgresOptions = {
  /** postgres:// URL, as libpq reads it. */
  url: string;
  /** Connections of this process, the one for LISTEN not counted. @default 10 */
  maxConnections?: number;
  /** Longest a statement may run, in milliseconds. @default 30000 */
  statementTimeout?: number;
  /** Longest a statement may wait for a lock, in milliseconds. @default 10000 */
  lockTimeout?: number;
  /** Longest to wait for a connection, new or free, in milliseconds. @default 5000 */
  connectTimeout?: number;
  /** Hears of lost connections. */
  log?: (message: string, fields: Record<string, unknown>) => void;
};

/**
 * Opens a pool of connections to PostgreSQL.
 *
 * @throws {DatabaseUnavailable} the server does not answer
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const {
    connectTimeout = 5000,
    statementTimeout = 30_000,
    lockTimeout = 10_000,
    log = () => undefined,
  } = options;
  checkUrl(options.url);
  const connection = {
    connectionString: options.url,
    application_name: 'gatewarden',
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser: parserOf },
  };
  const settings = `set statement_timeout = ${statementTimeout}; set lock_timeout = ${lockTimeout};
    set idle_in_transaction_session_timeout = ${statementTimeout};
    set timezone = 'UTC'; set datestyle = 'ISO, MDY'; set bytea_output = 'hex'`;
  const pool = new pg.Pool({
    ...connection,
    max: options.maxConnections ?? 10,
    idleTimeoutMillis: 30_000,
    // The server's own time-out comes first; this one is for a network that swallows answers.
    query_timeout: statementTimeout + 5000,
    onConnect: async (client) => {
      await client.query(settings);
    },
  });
  // Without a listener a connection that dies while idle, or between two statements, would end the process.
  pool.on('error', (error) => log('database connection lost', { reason: error.message }));
  pool.on('connect', (client) => client.on('error', () => undefined));
  const listener = openListener(connection, log);
  const names = preparedNames();

  const db: Db = {
    engine: 'postgres',
    rows: <T>(query: Sql) =>
      repeat(() => withClient(pool, (client) => run<T>(client, query, names))),
    transaction: <T>(work: (db: Db) => Promise<T>) =>
      repeat(() => withClient(pool, (client) => transact(client, work, names))),
  };
  const database: Database = {
    ...db,
    listen: listener.listen,
    ping: async () => {
      await withClient(pool, (client) => control(client, 'select 1'));
    },
    close: async () => {
      await listener.close();
      if (!pool.ending) await pool.end();
    },
  };
  try {
    await database.ping();
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

function checkUrl(url: string): void {
  // The driver's own error would show the URL, password and all.
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new Error('the database URL is not a postgres:// URL');
}

async function withClient<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    // Whatever keeps us from connecting, a database that takes no connections or a changed password included, may be over later.
    const failure = failureOf(error);
    throw failure instanceof DatabaseUnavailable
      ? failure
      : new DatabaseUnavailable(`the database does not answer: ${failure.message}`);
  }
  let broken = false;
  try {
    return await work(client);
  } catch (error) {
    // Nobody knows what such a connection is still doing; the pool makes a new one.
    broken = error instanceof DatabaseUnavailable;
    throw error;
  } finally {
    client.release(broken);
  }
}

async function run<T>(client: pg.PoolClient, query: Sql, names: PreparedNames): Promise<T[]> {
  checkSql(query);
  const { text } = query;
  if (isScript(query)) {
    // A migration may take its time; it sets its own limits.
    await control(client, text, 3_600_000);
    return [];
  }
  const name = names.of(text);
  try {
    const result = await client.query({
      text,
      values: query.values.map(encode),
      ...(name && { name }),
    });
    return result.rows as T[]; // the caller names the columns in the statement itself
  } catch (error) {
    if (isStalePlan(error)) names.forget(text);
    throw failureOf(error);
  }
}

/** Text without values; returns the command tag of the answer. */
async function control(client: pg.PoolClient, text: string, timeout?: number): Promise<string> {
  try {
    // The type leaves out an option that the driver reads.
    const config = { text, ...(timeout && { query_timeout: timeout }) } as pg.QueryConfig;
    return (await client.query(config)).command;
  } catch (error) {
    throw failureOf(error);
  }
}

function transact<T>(
  client: pg.PoolClient,
  work: (db: Db) => Promise<T>,
  names: PreparedNames,
): Promise<T> {
  return runTransaction(
    'postgres',
    {
      run: (query) => run(client, query, names),
      begin: () => control(client, 'begin'),
      commit: () => control(client, 'commit'),
      rollback: () => control(client, 'rollback'),
    },
    work,
  );
}
