import { type EventOf, recordFor } from '../events/events.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import {
  countPasswordlessTry,
  findPasswordlessByLink,
  lockPasswordlessRequest,
  type PasswordlessRequest,
  usePasswordlessRequest,
} from './passwordless.store.ts';
import { MOST_TRIES } from './passwordless.ts';
import { isCode, tryMacOf } from './passwordless-secrets.ts';
import { passwordlessSettings } from './passwordless-settings.ts';
import { countTryForApplication } from './sign-in-limits.ts';

export type Verification =
  | { readonly kind: 'verified'; readonly request: PasswordlessRequest }
  /** Wrong, used, replaced, expired or unknown: nobody is told which. */
  | { readonly kind: 'wrong' }
  /** Too many different codes: for this request, or for this address. */
  | { readonly kind: 'tried-out' }
  /** The link counts only with the id of its request. */
  | { readonly kind: 'other-browser' };

/**
 * Tries a code. It is counted before it is compared, for the request and for its address (AS-147); only a try that repeats the
 * last one is not, as it tells nothing new.
 */
export async function verifyCode(
  ctx: Ctx,
  by: { readonly id: string; readonly code: string },
): Promise<Verification> {
  const typed = by.code
    .replace(/[\s\p{Pd}]/gu, '')
    .normalize('NFKC')
    .toUpperCase();
  const counted = await countedTry(ctx, by.id, typed);
  if (counted.kind !== 'counted') return counted;
  const { request, isRepeated } = counted;
  if (!request.codeMac || !isCode(ctx, request, typed)) {
    if (!isRepeated) await recordFor(ctx, refusal('wrong-code'));
    return { kind: 'wrong' };
  }
  return await use(ctx, request, { codeMac: request.codeMac });
}

type CountedTry = {
  readonly kind: 'counted';
  readonly request: PasswordlessRequest;
  readonly isRepeated: boolean;
};

/**
 * Counts a try, with nobody else counting one of the same request meanwhile: what the address refuses is not remembered as the
 * last try of the request either, and so cannot be repeated into a comparison.
 */
async function countedTry(
  ctx: Ctx,
  id: string,
  typed: string,
): Promise<CountedTry | { readonly kind: 'wrong' | 'tried-out' }> {
  const key = { environmentId: ctx.environmentId, id };
  return await ctx.db.transaction(async (tx) => {
    const request = await lockPasswordlessRequest(tx, key);
    if (!request?.codeMac || isOver(ctx, request)) return { kind: 'wrong' };
    const tryMac = tryMacOf(ctx, id, typed);
    const isRepeated = request.lastTryMac !== undefined && equalBytes(request.lastTryMac, tryMac);
    if (isRepeated) return { kind: 'counted', request, isRepeated };
    // The address comes last, so that tries that the request refuses use up nothing of the person's.
    if (request.attempts >= MOST_TRIES) return { kind: 'tried-out' };
    if (!(await countTryForApplication(withDb(ctx, tx), request.emailKey)))
      return { kind: 'tried-out' };
    const attempt = { ...key, tryMac, most: MOST_TRIES, now: ctx.now() };
    const counted = await countPasswordlessTry(tx, attempt);
    return counted ? { kind: 'counted', request: counted, isRepeated } : { kind: 'wrong' };
  });
}

/** Tries the token of a link: by whoever has it, or only together with the id of its request (FSA-29). */
export async function verifyLink(
  ctx: Ctx,
  by: { readonly linkToken: string; readonly id: string | undefined },
): Promise<Verification> {
  const { environmentId } = ctx;
  const { sameBrowser } = await passwordlessSettings(ctx);
  if (sameBrowser && by.id === undefined) return { kind: 'other-browser' };
  const linkHash = sha256(by.linkToken);
  const request = await findPasswordlessByLink(ctx.db, { environmentId, linkHash });
  if (!request || isOver(ctx, request)) return { kind: 'wrong' };
  if (by.id !== undefined && by.id !== request.id) return { kind: 'wrong' };
  return await use(ctx, request, { linkHash });
}

async function use(
  ctx: Ctx,
  request: PasswordlessRequest,
  proof: { codeMac: Uint8Array } | { linkHash: Uint8Array },
): Promise<Verification> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const by = { environmentId, id: request.id, now: ctx.now(), ...proof };
    if (!(await usePasswordlessRequest(tx, by))) return { kind: 'wrong' };
    await recordFor(withDb(ctx, tx), {
      type: 'passwordless.verified',
      data: { by: 'codeMac' in proof ? 'code' : 'link' },
    });
    return { kind: 'verified', request };
  });
}

function isOver(ctx: Ctx, { usedAt, expiresAt }: PasswordlessRequest): boolean {
  return usedAt !== undefined || expiresAt <= ctx.now();
}

function refusal(reason: string): EventOf {
  return { type: 'passwordless.refused', outcome: 'failure', reason };
}
