import { type Revoked, revokeIssuedBefore } from '@gatewarden/server';
import type { Command } from 'commander';
import { Refused, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { momentOf } from '../moment.ts';
import {
  answer,
  confirm,
  contextIn,
  environmentOption,
  type OperatorFlags,
  operatorCommand,
  withOperations,
} from '../operator.ts';

type RevokeFlags = OperatorFlags & {
  before: string;
  server?: string;
  client?: string;
  user?: string;
};

/** `gatewarden revoke --before T`: ends everything that was issued before a moment (AS-154). */
export function revokeCommand(program: Command, io: Io): void {
  const command = program
    .command('revoke')
    .description(
      'End everything that was issued before a moment: codes, refresh tokens, access tokens, remembered consents.',
    )
    .requiredOption('--before <moment>', 'such as 2026-11-21T10:00:00Z, or now')
    .option('--server <id>', 'only what is for this MCP server (res_…)')
    .option('--client <id>', 'only what was issued to this client')
    .option('--user <id>', 'only what this person allowed (usr_…)');
  operatorCommand(environmentOption(command), { destructive: true }).action(
    async (flags: RevokeFlags) => {
      await revoke(flags, io);
    },
  );
}

async function revoke(flags: RevokeFlags, io: Io): Promise<void> {
  const { server, client, user } = flags;
  const named = [
    server === undefined ? [] : [`the MCP server ${server}`],
    client === undefined ? [] : [`the client ${client}`],
    user === undefined ? [] : [`the person ${user}`],
  ].flat();
  if (named.length > 1)
    throw new UsageError('--server, --client and --user exclude each other; run it once for each.');
  await withOperations(flags, io, async (operations) => {
    const ctx = contextIn(operations, flags);
    const before = momentOf('--before', flags.before, ctx.now());
    const whose = named[0] ?? `the whole environment ${ctx.issuer}`;
    await confirm(
      flags,
      io,
      `This ends everything issued before ${before.toISOString()} for ${whose}.`,
    );
    const outcome = await revokeIssuedBefore(ctx, {
      before,
      mcpServerId: server,
      clientId: client,
      userId: user,
    });
    const { grants, codes, consents } = revoked(outcome, before);
    answer(
      flags,
      io,
      { revoked: { before: before.toISOString(), grants, codes, consents } },
      `Ended for ${whose}, before ${before.toISOString()}: ${grants} grants with their tokens, ${codes} codes, ${consents} remembered consents.`,
    );
  });
}

function revoked(outcome: Revoked, before: Date): Extract<Revoked, { kind: 'revoked' }> {
  switch (outcome.kind) {
    case 'revoked':
      return outcome;
    case 'unknown':
      throw new Refused(`there is no such ${outcome.what} in this environment; nothing was done.`);
    case 'in-future':
      throw new UsageError(
        `--before is ${before.toISOString()}, which is still to come; give a moment that has passed, or now.`,
      );
  }
}
