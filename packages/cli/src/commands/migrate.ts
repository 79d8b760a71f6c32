import { ConfigError, migrate, openPostgres, planMigrations } from '@gatewarden/server';
import type { Command } from 'commander';
import { databaseUrl } from '../config.ts';
import type { Io } from '../io.ts';

/** `gatewarden migrate`: brings a PostgreSQL schema forward. The embedded database does so by itself when it is opened. */
export function migrateCommand(program: Command, io: Io): void {
  program
    .command('migrate')
    .description(
      'Bring the database schema of DATABASE_URL forward. Safe to run while the previous version serves.',
    )
    .option('--plan', 'only list what would be applied')
    .option('--json', 'print one line of JSON')
    .action(async (flags: { plan?: boolean; json?: boolean }) => {
      const url = databaseUrl(io.env);
      if (url === undefined)
        throw new ConfigError(
          'DATABASE_URL is not set; give the postgres:// address of the database to migrate.',
        );
      const database = await openPostgres({ url });
      try {
        const names = flags.plan
          ? (await planMigrations(database)).pending.map(({ name }) => name)
          : (await migrate(database)).applied;
        if (flags.json)
          io.out(`${JSON.stringify(flags.plan ? { pending: names } : { applied: names })}\n`);
        else if (names.length === 0) io.out('The schema is current.\n');
        else
          io.out(
            `${names.map((name) => `${flags.plan ? 'would apply' : 'applied'} ${name}`).join('\n')}\n`,
          );
      } finally {
        await database.close();
      }
    });
}
