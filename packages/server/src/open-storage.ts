import { type Config, ConfigError } from './runtime/config.ts';
import type { Log } from './runtime/log.ts';
import type { Database } from './storage/db.ts';
import { migrate, planMigrations, schemaState } from './storage/migrate.ts';
import { openPglite } from './storage/pglite.ts';
import { openPostgres } from './storage/postgres.ts';

/**
 * Opens the database that the configuration names and sees to its schema: development and the embedded
 * database bring it forward by themselves, production on PostgreSQL refuses an older one, all refuse a newer one.
 *
 * @throws {ConfigError} the schema does not fit
 * @throws {DatabaseUnavailable} the server does not answer
 * @throws {DataFolderInUse} another process has the folder open
 */
export async function openStorage(config: Config, log: Log): Promise<Database> {
  const database = await open(config, log);
  try {
    const state = await schemaState(database);
    if (state === 'newer')
      throw new ConfigError(
        'The database was written by a newer version of Gatewarden; run that version, or restore a backup.',
      );
    if (state === 'older') {
      // Nobody else can use an embedded database, so nobody is surprised.
      if (config.mode === 'serve' && config.storage.kind === 'postgres') {
        const { pending } = await planMigrations(database);
        throw new ConfigError(
          `The database schema is ${pending.length} migration${pending.length === 1 ? '' : 's'} behind; bring it forward with: gatewarden migrate`,
        );
      }
      const { applied } = await migrate(database);
      if (applied.length > 0) log.info({ applied }, 'database schema brought forward');
    }
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

function open(config: Config, log: Log): Promise<Database> {
  switch (config.storage.kind) {
    case 'postgres':
      return openPostgres({
        url: config.storage.url,
        log: (message, fields) => log.warn(fields, message),
      });
    case 'folder':
      return openPglite({ dataDir: config.storage.path });
    case 'memory':
      return openPglite();
  }
}
