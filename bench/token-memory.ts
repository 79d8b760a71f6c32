import { startChild } from './child.ts';
import type { Cleanups } from './cleanups.ts';

export type MemoryPlan = {
  /** Distinct valid tokens. */
  readonly tokens: number;
  /** Refused ones after them. */
  readonly garbage: number;
};

/** Memory that a guard holds after a garbage collection, beyond what it held before, in bytes. */
export type TokenMemory = {
  readonly afterTokens: readonly { readonly tokens: number; readonly bytes: number }[];
  readonly garbage: number;
  readonly garbageBytes: number;
};

/** What very many tokens cost a guard in memory. */
export async function measureTokenMemory(
  cleanups: Cleanups,
  plan: MemoryPlan,
): Promise<TokenMemory> {
  const args = [JSON.stringify(plan)];
  const child = await startChild<TokenMemory>(cleanups, './token-memory-process.ts', args);
  await child.end();
  return child.ready;
}
