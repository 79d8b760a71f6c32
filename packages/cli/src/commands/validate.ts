import type { Command } from 'commander';
import { withEnvFile } from '../application/env-file.ts';
import { printResults } from '../application/findings.ts';
import { validateVariables } from '../application/validate.ts';
import type { Io } from '../io.ts';

/** `gatewarden validate`: the variables of an application, looked at without any network (SKILL-42, SKILL-65). */
export function validateCommand(program: Command, io: Io): void {
  program
    .command('validate')
    .description('Check the environment variables of an application. Sends nothing anywhere.')
    .option('--env-file <path>', 'read them from a file too; what it says counts')
    .option('--json', 'print {"ok","findings"} and nothing else')
    .addHelpText(
      'after',
      `
Reads GATEWARDEN_ENVIRONMENT_URL, _CLIENT_ID, _CLIENT_SECRET and _RESOURCE_ID (or SCALEKIT_… of the same name), and
CALLBACK_URL, POST_LOGOUT_URL, APP_URL and COOKIE_SECURE. No part of a secret is printed.

Exit codes: 0 nothing wrong, 1 something is, 2 wrong use.`,
    )
    .action(async (flags: { envFile?: string; json?: boolean }) => {
      printResults(io, flags, validateVariables(await withEnvFile(io.env, flags.envFile)));
    });
}
