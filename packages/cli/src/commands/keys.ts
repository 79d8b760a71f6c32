import {
  type Ctx,
  listSigningKeys,
  rotateSigningKey,
  type SigningKeyEntry,
  withdrawSigningKeys,
} from '@gatewarden/server';
import type { Command } from 'commander';
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

type RotateFlags = OperatorFlags & { emergency?: boolean };

/** `gatewarden keys`: the signing keys of an environment (AS-16 to AS-18). */
export function keysCommand(program: Command, io: Io): void {
  const keys = program.command('keys').description('List and rotate the signing keys.');
  const list = keys.command('list').description('List the signing keys with their states.');
  operatorCommand(environmentOption(list), { destructive: false }).action(
    async (flags: OperatorFlags) => {
      await withOperations(flags, io, async (operations) => {
        const entries = await listSigningKeys(contextIn(operations, flags));
        answer(flags, io, { keys: entries }, entries.map(lineOf).join('\n'));
      });
    },
  );
  const rotate = keys
    .command('rotate')
    .description('Sign with the next key, which has been public since long before.')
    .option(
      '--emergency',
      'a key may be known to others: withdraw every published key, at every verifier, and sign with a new one',
    );
  operatorCommand(environmentOption(rotate), { destructive: true }).action(
    async (flags: RotateFlags) => {
      await withOperations(flags, io, async (operations) => {
        const ctx = contextIn(operations, flags);
        if (flags.emergency) await withdraw(ctx, flags, io);
        else await promote(ctx, flags, io);
      });
    },
  );
}

async function promote(ctx: Ctx, flags: RotateFlags, io: Io): Promise<void> {
  const { from, to } = await rotateSigningKey(ctx);
  answer(
    flags,
    io,
    { current: to, retired: from },
    `${to} signs now. ${from ?? 'The key before it'} stays public until its last token has ended.`,
  );
}

async function withdraw(ctx: Ctx, flags: RotateFlags, io: Io): Promise<void> {
  await confirm(
    flags,
    io,
    `This withdraws every published signing key of ${ctx.issuer}: all its tokens are refused, and resource servers that keep a key set for ever must be restarted.`,
  );
  const { withdrawn, current } = await withdrawSigningKeys(ctx);
  answer(
    flags,
    io,
    { current, withdrawn },
    `Withdrawn: ${withdrawn.join(', ')}. ${current} signs now.`,
  );
}

function lineOf(key: SigningKeyEntry): string {
  const { id, algorithm, state, createdAt, publishedUntil } = key;
  const until = publishedUntil ? `, published until ${publishedUntil.toISOString()}` : '';
  return `${id}  ${algorithm}  ${state.padEnd(9)}  made ${createdAt.toISOString()}${until}`;
}
