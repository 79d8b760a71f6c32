import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Ctx } from '../runtime/context.ts';
import { completeSignIn } from './complete-sign-in.ts';
import type { LoginRequest } from './login-requests.store.ts';
import { type TryOutcome, tryCode } from './sign-in-codes.ts';
import { testUserCode } from './test-users.ts';

/** A code to be typed: exactly six digits; everything else is no try. */
export const SIX_DIGITS = /^[0-9]{6}$/;

/**
 * Tries a code, and signs in whose it is, in the browser that typed it. See `tryCode` and `completeSignIn` for what is counted and
 * refused.
 *
 * @returns `none` also when another request used the code up first
 * @throws {PageError} too-many-requests, suspended, denied, expired
 */
export async function typeCode(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  { login, digits }: { readonly login: LoginRequest; readonly digits: string },
): Promise<TryOutcome> {
  const outcome = await tryCode(ctx, login, digits);
  if (outcome.kind !== 'verified') return outcome;
  const { code } = outcome;
  const isTest = digits === (await testUserCode(ctx, request, code.emailKey));
  const method = isTest ? 'test-user' : 'email-code';
  const signedIn = await completeSignIn(ctx, request, reply, { login, code, method });
  return signedIn ? outcome : { kind: 'none' };
}
