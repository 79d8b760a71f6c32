import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Db, script, sql } from './db.ts';

/** Schema changes are NNNN-name.sql files, applied in order and never undone. */

export type Migration = { name: string; text: string; hash: string };
export type Options = { /** @default the migrations of this package */ folder?: string };
export type Plan = {
  applied: string[];
  pending: Migration[] /** Sentences on why these files cannot be applied. */;
  conflicts: string[];
};

const NAME = /^\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.sql$/;
const FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));
/** Key of the advisory lock: any number, as long as all versions agree on it. */
const LOCK = 7_204_117_001;

/** The database was written by a newer version, or a migration that it has had was edited since. */
export class SchemaConflict extends Error {
  override name = 'SchemaConflict';
}

export async function readMigrations(options: Options = {}): Promise<Migration[]> {
  const folder = options.folder ?? FOLDER;
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const wrong = names.find(
    (name, index) => !NAME.test(name) || name.slice(0, 4) === names[index - 1]?.slice(0, 4),
  );
  if (wrong)
    throw new Error(
      `${wrong} in ${folder} is not named like 0001-name.sql, or its number is taken`,
    );
  return Promise.all(
    names.map(async (name) => {
      // Git may give other line ends on Windows.
      const text = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n');
      return {
        name: name.slice(0, -4),
        text,
        hash: createHash('sha256').update(text).digest('hex'),
      };
    }),
  );
}

/** What migrate() would do. */
export async function planMigrations(db: Db, options: Options = {}): Promise<Plan> {
  return plan(await readMigrations(options), await recorded(db));
}

/** `newer` also stands for a history that these files do not continue. */
export async function schemaState(
  db: Db,
  options: Options = {},
): Promise<'current' | 'older' | 'newer'> {
  const { pending, conflicts } = await planMigrations(db, options);
  if (conflicts.length > 0) return 'newer';
  return pending.length > 0 ? 'older' : 'current';
}

/**
 * Brings the schema up to date, one transaction for each migration. Of several processes that start at once one applies a
 * migration, the others wait for it and find it done.
 *
 * @throws {SchemaConflict} newer data, or an edited migration
 */
export async function migrate(db: Db, options: Options = {}): Promise<{ applied: string[] }> {
  const files = await readMigrations(options);
  const applied: string[] = [];
  const first = plan(files, await recorded(db));
  if (first.conflicts.length === 0 && first.pending.length === 0) return { applied };
  for (;;) {
    const name = await db.transaction(async (tx) => {
      await lock(tx);
      await tx.rows(
        script(
          'create table if not exists schema_migrations (name text primary key, hash text not null, applied_at timestamptz not null default now())',
        ),
      );
      const { pending, conflicts } = plan(files, await recorded(tx));
      if (conflicts.length > 0) throw new SchemaConflict(conflicts.join(' '));
      const next = pending[0];
      if (!next) return undefined;
      await tx.rows(script(next.text));
      await tx.rows(
        sql`insert into schema_migrations (name, hash) values (${next.name}, ${next.hash})`,
      );
      return next.name;
    });
    if (name === undefined) return { applied };
    applied.push(name);
  }
}

/** Waits for others that migrate, but makes nobody wait behind us for a table that is busy. */
async function lock(tx: Db): Promise<void> {
  await tx.rows(script("set local statement_timeout = 0; set local lock_timeout = '10min'"));
  // The embedded engine has one connection, guarded by the lock of its folder.
  if (tx.engine === 'postgres')
    await tx.rows(sql`select pg_advisory_xact_lock(${LOCK})::text as locked`);
  await tx.rows(script("set local lock_timeout = '15s'"));
}

async function recorded(db: Db): Promise<{ name: string; hash: string }[]> {
  const [table] = await db.rows<{ present: boolean }>(
    sql`select to_regclass('schema_migrations') is not null as present`,
  );
  if (!table?.present) return [];
  return db.rows(sql`select name, hash from schema_migrations order by name`);
}

function plan(files: Migration[], history: { name: string; hash: string }[]): Plan {
  const conflicts: string[] = [];
  for (const { name, hash } of history) {
    const file = files.find((candidate) => candidate.name === name);
    if (!file)
      conflicts.push(
        `The database was written by a newer version: migration ${name} is not known here.`,
      );
    else if (file.hash !== hash)
      conflicts.push(`Migration ${name} was changed after it had been applied.`);
  }
  const done = new Set(history.map(({ name }) => name));
  const last = history.at(-1)?.name ?? '';
  const pending = files.filter(({ name }) => !done.has(name));
  for (const { name } of pending) {
    if (name < last)
      conflicts.push(`Migration ${name} comes before ${last}, which has been applied.`);
  }
  return { applied: [...done], pending, conflicts };
}
