import { sha256 } from './runtime/sha256.ts';

/** Whether a proof is used for the first time. `full`: it cannot be told any more. */
export type ProofUse = 'first' | 'again' | 'full';

export type ReplayMemory = {
  take(thumbprint: string, proofId: string, nowSeconds: number): Promise<ProofUse>;
};

export type ReplayLimits = {
  /** Seconds for which a proof can be valid, however the clocks differ. */
  readonly windowSeconds: number;
  /** Most proofs remembered at a time, about 250 bytes each. */
  readonly entries: number;
  /** Most of them that one key may cause, so that one client cannot lock out the others. */
  readonly entriesPerKey: number;
};

type Use = { readonly until: number; readonly thumbprint: string };

/**
 * Remembers proofs until their window has passed (RFC 9449 §11.1): a `jti` counts once per key. Nothing
 * is forgotten early to make room; a full memory says so, and its caller refuses. It is the memory of one
 * process: where several serve one endpoint, each accepts a proof once.
 */
export function replayMemory(limits: ReplayLimits): ReplayMemory {
  const used = new Map<string, Use>(); // in the order of `until`, because the window is the same for all
  const perKey = new Map<string, number>();

  function forgetPassed(now: number): void {
    for (const [name, { until, thumbprint }] of used) {
      // An end so far ahead was written before the clock was set back, about proofs that are in the future now.
      if (until > now && until <= now + 2 * limits.windowSeconds) return;
      used.delete(name);
      const left = (perKey.get(thumbprint) ?? 1) - 1;
      if (left > 0) perKey.set(thumbprint, left);
      else perKey.delete(thumbprint);
    }
  }

  return {
    async take(thumbprint, proofId, now) {
      const name = await sha256(`${thumbprint}.${proofId}`);
      forgetPassed(now);
      if (used.has(name)) return 'again';
      const ofKey = perKey.get(thumbprint) ?? 0;
      if (used.size >= limits.entries || ofKey >= limits.entriesPerKey) return 'full';
      used.set(name, { until: now + limits.windowSeconds, thumbprint });
      perKey.set(thumbprint, ofKey + 1);
      return 'first';
    },
  };
}
