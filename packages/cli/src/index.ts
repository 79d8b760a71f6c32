import { Command, CommanderError } from 'commander';
import { devCommand } from './commands/dev.ts';
import { doctorCommand } from './commands/doctor.ts';
import { keysCommand } from './commands/keys.ts';
import { migrateCommand } from './commands/migrate.ts';
import { proxyCommand } from './commands/proxy.ts';
import { rekeyCommand } from './commands/rekey.ts';
import { revokeCommand } from './commands/revoke.ts';
import { serveCommand } from './commands/serve.ts';
import { sessionsCommand } from './commands/sessions.ts';
import { testCommand } from './commands/test-commands.ts';
import { validateCommand } from './commands/validate.ts';
import { Ended, EXIT, explain } from './errors.ts';
import { type Io, questionAt } from './io.ts';

const VERSION = '0.1.0';
const COMMANDS = [
  devCommand,
  serveCommand,
  migrateCommand,
  revokeCommand,
  keysCommand,
  sessionsCommand,
  rekeyCommand,
  proxyCommand,
  validateCommand,
  testCommand,
  doctorCommand,
];

/**
 * The gatewarden command.
 *
 * @returns the exit code: 0 done, 1 failed or something found, 2 wrong use, 3 nothing answers there, 4 credentials refused
 */
export async function main(
  argv: readonly string[],
  io: Io = {
    env: process.env,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    exitOnSignal: true,
    ask: questionAt(process.stdin, process.stderr),
  },
): Promise<number> {
  const program = new Command('gatewarden')
    .description('OAuth 2.1 authorization server for MCP servers.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('Run with --help to see what is possible.');
  for (const add of COMMANDS) add(program, io);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof Ended) return error.code;
    const { sentence, code } = explain(error);
    io.err(`gatewarden: ${sentence}\n`);
    return code;
  }
}
