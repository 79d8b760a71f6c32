import { sha256 } from './runtime/sha256.ts';
import {
  nowSeconds,
  type TokenOutcome,
  type ValidToken,
  type Verifier,
  validateToken,
} from './validate-token.ts';

/** Most tokens remembered per server; the oldest give way. One entry holds the claims, about 1 to 4 KiB. */
const defaultLimit = 10_000;

export type TokenCheck = (token: string) => Promise<TokenOutcome>;

/**
 * Validation that remembers tokens it has accepted, under the SHA-256 of the whole token (RS-57). Every
 * verifier has its own memory, so an answer never crosses from one set of issuers, audiences and
 * algorithms to another. A remembered token is still checked for its end and for its key being published
 * (which also brings the key set up to date), and dropped within a minute of its end when others come.
 * Refusals are not remembered: garbage costs no memory.
 */
export function rememberedValidation(
  verifier: Verifier,
  entryLimit: number = defaultLimit,
): TokenCheck {
  const accepted = new Map<string, ValidToken>();
  let sweptAt = 0;

  function forgetEnded(): void {
    const now = nowSeconds(verifier);
    if (Math.abs(now - sweptAt) < 60) return;
    sweptAt = now;
    for (const [name, known] of accepted) if (hasEnded(verifier, known)) accepted.delete(name);
  }

  return async (token) => {
    const name = await sha256(token);
    const known = accepted.get(name);
    if (known) {
      const outcome = await recheck(verifier, known);
      if (outcome.kind !== 'valid') accepted.delete(name);
      return outcome;
    }
    const outcome = await validateToken(verifier, token);
    if (outcome.kind === 'valid') {
      forgetEnded();
      accepted.set(name, outcome.token);
      if (accepted.size > entryLimit) forgetOldest(accepted);
    }
    return outcome;
  };
}

async function recheck(verifier: Verifier, known: ValidToken): Promise<TokenOutcome> {
  const { claims } = known.details;
  if (hasEnded(verifier, known)) return { kind: 'refused', reason: 'expired', claims };
  const found = await known.trust.keys.find(known.algorithm, known.keyId);
  if (found.kind === 'unavailable') return found;
  if (found.kind === 'unknown' || found.key !== known.key)
    return { kind: 'refused', reason: 'unknown_key', claims };
  return { kind: 'valid', token: known };
}

function hasEnded(verifier: Verifier, known: ValidToken): boolean {
  return !(known.expiresAt + verifier.clockSkewSeconds > nowSeconds(verifier));
}

function forgetOldest(accepted: Map<string, ValidToken>): void {
  const { value, done } = accepted.keys().next();
  if (!done) accepted.delete(value);
}
