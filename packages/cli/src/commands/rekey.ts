import { type ReplacedOperatorKey, replaceOperatorKey } from '@gatewarden/server';
import type { Command } from 'commander';
import { Refused } from '../errors.ts';
import type { Io } from '../io.ts';
import { answer, type OperatorFlags, operatorCommand, withOperations } from '../operator.ts';

type RekeyFlags = OperatorFlags & { check?: boolean };

/** `gatewarden rekey`: encrypts every secret at rest with the first of several operator keys (AS-150, AS-154). */
export function rekeyCommand(program: Command, io: Io): void {
  const command = program
    .command('rekey')
    .description(
      'Encrypt every secret at rest again with the first key of GATEWARDEN_SECRET_KEY=new,old. Can be repeated.',
    )
    .option('--check', 'change nothing; only say whether the first key alone reads everything');
  operatorCommand(command, { destructive: false }).action(async (flags: RekeyFlags) => {
    await withOperations(flags, io, async (operations) => {
      const outcome = await replaceOperatorKey(operations, { checkOnly: flags.check === true });
      answer(flags, io, outcome, sentenceOf(outcome));
      if (!outcome.complete) throw new Refused(whyIncomplete(outcome));
    });
  });
}

function sentenceOf({ columns, keyId, complete }: ReplacedOperatorKey): string {
  const lines = columns
    .filter(({ resealed, left }) => resealed + left > 0)
    .map(({ column, resealed, left }) => `  ${column}: ${resealed} encrypted again, ${left} left`);
  const end = complete
    ? `Everything at rest is encrypted with key ${keyId}. The other keys may be removed an hour after every process began to write with it.`
    : `Not everything at rest is encrypted with key ${keyId} yet: keep the other keys.`;
  return [...lines, end].join('\n');
}

function whyIncomplete({ columns }: ReplacedOperatorKey): string {
  const unreadable = columns.filter((column) => column.unreadable.length > 0);
  if (unreadable.length > 0)
    return `no configured key reads ${unreadable
      .map(({ column, unreadable: ids }) => `${column} of ${ids.join(', ')}`)
      .join('; ')}; add the key that wrote them to GATEWARDEN_SECRET_KEY.`;
  return 'run gatewarden rekey; if that was this command, a process still writes with an older key: restart it with the new key first.';
}
