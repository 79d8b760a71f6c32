import type { RefusalReason } from './errors.ts';
import type { RevocationWatch, Verdict } from './revocation-watch.ts';
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

/** Answers at once for a token it knows; a promise only where something has to be fetched or computed. */
export type TokenCheck = (token: string) => TokenOutcome | Promise<TokenOutcome>;

/** What became of tokens since the start. */
export type TokenTally = {
  accepted: number;
  unavailable: number;
  readonly refused: Map<RefusalReason, number>;
};

export type RememberingVerifier = Verifier & {
  /** Looks after the tokens of our own issuers. @default nothing is followed */
  readonly revocations?: RevocationWatch;
  readonly tally?: TokenTally;
};

/**
 * Validation that remembers tokens it has accepted, under the SHA-256 of the whole token (RS-57). Every
 * verifier has its own memory, so an answer never crosses from one set of issuers, audiences and
 * algorithms to another. A remembered token is still checked for its end, for its key being published
 * (which also brings the key set up to date) and for its revocation, and dropped within a minute of its
 * end when others come. Refusals are not remembered: garbage costs no memory.
 */
export function rememberedValidation(
  verifier: RememberingVerifier,
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

  function remember(name: string, token: ValidToken): void {
    forgetEnded();
    accepted.set(name, token);
    if (accepted.size > entryLimit) forgetOldest(accepted);
  }

  async function validate(name: string, token: string): Promise<TokenOutcome> {
    const outcome = await validateToken(verifier, token);
    if (outcome.kind !== 'valid') return outcome;
    const checked = await revocationOutcome(verifier, outcome.token, token);
    if (checked.kind === 'valid') remember(name, checked.token);
    return checked;
  }

  function checkNamed(name: string, token: string): TokenOutcome | Promise<TokenOutcome> {
    const known = accepted.get(name);
    if (!known) return validate(name, token);
    const outcome = recheck(verifier, known, token);
    const settle = (settled: TokenOutcome): TokenOutcome => {
      if (settled.kind !== 'valid') accepted.delete(name);
      return settled;
    };
    return outcome instanceof Promise ? outcome.then(settle) : settle(outcome);
  }

  return (token) => {
    const name = sha256(token);
    const outcome =
      typeof name === 'string'
        ? checkNamed(name, token)
        : name.then((hashed) => checkNamed(hashed, token));
    return outcome instanceof Promise
      ? outcome.then((settled) => count(verifier, settled))
      : count(verifier, outcome);
  };
}

/** What may have changed since the token was accepted: time, key and revocation. */
function recheck(
  verifier: RememberingVerifier,
  known: ValidToken,
  token: string,
): TokenOutcome | Promise<TokenOutcome> {
  const { claims } = known.details;
  if (hasEnded(verifier, known)) return { kind: 'refused', reason: 'expired', claims };
  if (known.trust.keys.serving(known.algorithm, known.keyId) === known.key)
    return revocationOutcome(verifier, known, token);
  return recheckKey(verifier, known, token);
}

async function recheckKey(
  verifier: RememberingVerifier,
  known: ValidToken,
  token: string,
): Promise<TokenOutcome> {
  const { claims } = known.details;
  const found = await known.trust.keys.find(known.algorithm, known.keyId);
  if (found.kind === 'unavailable') return found;
  if (found.kind === 'unknown' || found.key !== known.key)
    return { kind: 'refused', reason: 'unknown_key', claims };
  return revocationOutcome(verifier, known, token);
}

function revocationOutcome(
  { revocations }: RememberingVerifier,
  known: ValidToken,
  token: string,
): TokenOutcome | Promise<TokenOutcome> {
  if (!revocations || !known.trust.own) return { kind: 'valid', token: known };
  const verdict = revocations.check(known, token);
  return verdict instanceof Promise
    ? verdict.then((settled) => byVerdict(known, settled))
    : byVerdict(known, verdict);
}

function byVerdict(known: ValidToken, verdict: Verdict): TokenOutcome {
  if (verdict === 'clear') return { kind: 'valid', token: known };
  if (verdict === 'revoked')
    return { kind: 'refused', reason: 'revoked', claims: known.details.claims };
  return { kind: 'unavailable', retryAfterSeconds: verdict.unavailable };
}

function count({ tally }: RememberingVerifier, outcome: TokenOutcome): TokenOutcome {
  if (!tally) return outcome;
  if (outcome.kind === 'valid') tally.accepted += 1;
  else if (outcome.kind === 'unavailable') tally.unavailable += 1;
  else tally.refused.set(outcome.reason, (tally.refused.get(outcome.reason) ?? 0) + 1);
  return outcome;
}

function hasEnded(verifier: Verifier, known: ValidToken): boolean {
  return !(known.expiresAt + verifier.clockSkewSeconds > nowSeconds(verifier));
}

function forgetOldest(accepted: Map<string, ValidToken>): void {
  const { value, done } = accepted.keys().next();
  if (!done) accepted.delete(value);
}
