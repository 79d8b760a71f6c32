import type { Command } from 'commander';
import { testConnection } from '../application/connection.ts';
import { withEnvFile } from '../application/env-file.ts';
import { isFinding, printResults } from '../application/findings.ts';
import { validateVariables } from '../application/validate.ts';
import { readVariables } from '../application/variables.ts';
import type { Io } from '../io.ts';
import { boundedFetch } from '../runtime/bounded-fetch.ts';
import { machineNow, unguessable } from '../runtime/machine.ts';

/** `gatewarden test connection`: connects as an application would (SKILL-43, SKILL-66). */
export function testConnectionCommand(test: Command, io: Io): void {
  test
    .command('connection')
    .description('Connect as an application would: metadata, keys, clock, a token, redirect URIs.')
    .option('--env-file <path>', 'read the variables from a file too; what it says counts')
    .option('--json', 'print {"ok","findings"} and nothing else')
    .addHelpText(
      'after',
      `
Reads the variables that "gatewarden validate" reads, and first checks them in the same way: a secret is not sent to an
address that is wrong. Nobody is signed in; "gatewarden test login" does that.

Exit codes: 0 all is well, 1 something is wrong, 2 wrong use, 3 nothing answers, 4 client id or secret refused.`,
    )
    .action(async (flags: { envFile?: string; json?: boolean }) => {
      const env = await withEnvFile(io.env, flags.envFile);
      const checked = validateVariables(env);
      const wrong = checked.filter(isFinding);
      if (wrong.some(({ severity }) => severity === 'error')) return printResults(io, flags, wrong);
      const { results, code } = await testConnection(readVariables(env).variables, {
        fetch: boundedFetch,
        now: machineNow,
        random: unguessable,
      });
      printResults(io, flags, [...wrong, ...results], code);
    });
}
