import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Database } from '../storage/db.ts';
import { migrate } from '../storage/migrate.ts';
import { openPglite } from '../storage/pglite.ts';
import { openPostgres } from '../storage/postgres.ts';
import { templateName } from '../storage/template.ts';
import { startTestPostgres } from './postgres-server.ts';

/** Databases for tests: empty ones of the current schema, each test its own, gone when the test is over. */

/** The part of node:test's context that is needed here. */
export type Cleanup = { after(work: () => Promise<void>): void };
export type TestDatabaseOptions = {
  /** false for a database without any table. @default true */ migrated?: boolean;
};
export type PostgresDatabase = {
  url: string;
  database: Database;
  /** Another pool on the same database, as a second process would have it. */
  open(options?: { maxConnections?: number }): Promise<Database>;
};

/** `for (const engine of engines) test(`… (${engine})`, async (t) => { const db = await openTestDatabase(t, engine); … })` */
export const engines = ['pglite', 'postgres'] as const;
export type Engine = (typeof engines)[number];

export async function openTestDatabase(
  t: Cleanup,
  engine: Engine,
  options: TestDatabaseOptions = {},
): Promise<Database> {
  if (engine === 'pglite') return testPglite(t, options);
  return (await testPostgres(t, options)).database;
}

/** The embedded engine, in memory. */
export async function testPglite(
  t: Cleanup,
  { migrated = true }: TestDatabaseOptions = {},
): Promise<Database> {
  const database = await openPglite(migrated ? {} : { migrationsFolder: nothing });
  t.after(() => database.close());
  return database;
}

/** A database of its own on the server of this test run (GATEWARDEN_TEST_POSTGRES), or on one that this process starts. */
export async function testPostgres(
  t: Cleanup,
  { migrated = true }: TestDatabaseOptions = {},
): Promise<PostgresDatabase> {
  const admin = await server();
  const source = migrated ? await migratedTemplate(admin) : 'template0';
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await administer(admin, `create database ${name} template ${source}`);
  const url = withDatabase(admin, name);
  const opened: Database[] = [];
  const open = async (options: { maxConnections?: number } = {}): Promise<Database> => {
    const database = await openPostgres({ url, ...options });
    opened.push(database);
    return database;
  };
  t.after(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await administer(admin, `drop database if exists ${name} with (force)`);
  });
  return { url, database: await open(), open };
}

/** Has no migration in it. */
const nothing = fileURLToPath(new URL('.', import.meta.url));

let started: Promise<string> | undefined;

function server(): Promise<string> {
  // It ends with this process.
  started ??= process.env['GATEWARDEN_TEST_POSTGRES']
    ? Promise.resolve(process.env['GATEWARDEN_TEST_POSTGRES'])
    : startTestPostgres().then(({ url }) => url);
  return started;
}

let template: Promise<string> | undefined;

function migratedTemplate(admin: string): Promise<string> {
  template ??= makeTemplate(admin);
  return template;
}

/** Made once for a server and these migrations; other test processes wait for it. */
async function makeTemplate(admin: string): Promise<string> {
  const name = `template_${(await templateName()).replace(/\W/g, '_')}`;
  const client = new pg.Client({ connectionString: admin });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(1)');
    if ((await client.query('select 1 from pg_database where datname = $1', [name])).rowCount)
      return name;
    await client.query(`drop database if exists ${name}_draft with (force)`);
    await client.query(`create database ${name}_draft template template0`);
    const database = await openPostgres({
      url: withDatabase(admin, `${name}_draft`),
      maxConnections: 2,
    });
    await migrate(database).finally(() => database.close());
    await client.query(`alter database ${name}_draft rename to ${name}`);
    return name;
  } finally {
    await client.end();
  }
}

async function administer(admin: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: admin });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

function withDatabase(admin: string, name: string): string {
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return url.href;
}
