import { endAllSessions } from '@gatewarden/server';
import type { Command } from 'commander';
import { Refused, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import {
  answer,
  confirm,
  contextIn,
  environmentOption,
  type OperatorFlags,
  operatorCommand,
  withOperations,
} from '../operator.ts';

type EndFlags = OperatorFlags & { all?: boolean; user?: string };

/** `gatewarden sessions end --all`: signs people out in all their browsers (AS-114, AS-154). */
export function sessionsCommand(program: Command, io: Io): void {
  const sessions = program.command('sessions').description("People's browser sessions.");
  const command = sessions
    .command('end')
    .description('End sessions, and what was allowed in them, refresh and access tokens included.')
    .option('--all', 'every session; together with --user every one of that person')
    .option('--user <id>', 'only those of this person (usr_…)');
  operatorCommand(environmentOption(command), { destructive: true }).action(
    async (flags: EndFlags) => {
      await endSessions(flags, io);
    },
  );
}

async function endSessions(flags: EndFlags, io: Io): Promise<void> {
  // Written out, so that a forgotten --user does not sign everybody out.
  if (!flags.all)
    throw new UsageError('say --all: every session, or with --user every one of that person.');
  await withOperations(flags, io, async (operations) => {
    const ctx = contextIn(operations, flags);
    const whose =
      flags.user === undefined ? `everybody at ${ctx.issuer}` : `the person ${flags.user}`;
    await confirm(
      flags,
      io,
      `This signs ${whose} out everywhere and ends what those sessions allowed.`,
    );
    const outcome = await endAllSessions(ctx, { userId: flags.user });
    if (outcome.kind === 'unknown')
      throw new Refused(`there is no such ${outcome.what} in this environment; nothing was done.`);
    const { sessions, grants } = outcome;
    answer(
      flags,
      io,
      { ended: { sessions, grants } },
      `Signed ${whose} out: ${sessions} sessions ended, and ${grants} grants with their tokens.`,
    );
  });
}
