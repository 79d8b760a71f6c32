import type { AuthService } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { ApiError } from '../http/api-error.ts';
import type { Call, Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { askForCode } from './ask-for-code.ts';
import { answering, changeByPage, checkChange, type PageLogin, pageOf } from './auth-page.ts';
import { browserIfAny, sessionCookie } from './browser.ts';
import { currentStep } from './current-step.ts';
import { findNewestCode, type SignInCode } from './sign-in-codes.store.ts';
import { endBrowserSessions } from './sign-out.ts';
import { SIX_DIGITS, typeCode } from './type-code.ts';

const FIELD = 'otp_req.code_challenge';

/** The code by mail, and signing out, for a login page of the operator's own: what the hosted pages do, with all their limits. */
export const authCodeRpc: Slice<typeof AuthService> = {
  async verifyPasswordLessOtp(ctx, { otpReq }, call) {
    return await answering(ctx, async () => {
      const { login, request, reply } = await atCode(ctx, call);
      const digits = (otpReq?.codeChallenge ?? '').normalize('NFKC');
      if (!SIX_DIGITS.test(digits)) throw invalidField(FIELD, 'must be six digits', 'pattern');
      const outcome = await typeCode(ctx, request, reply, { login, digits });
      if (outcome.kind === 'refused') throw refusalOf(outcome.reason);
      if (outcome.kind === 'none') throw noCode();
      return {};
    });
  },

  async resendPasswordless(ctx, _request, call) {
    return await answering(ctx, async () => {
      const { login, request, code } = await atCode(ctx, call);
      const address = parseEmail(code.email);
      if (!address) throw noCode();
      const { displayName } = code;
      await askForCode(ctx, request, { login }, { address, displayName, resend: true });
      await checkBudget(ctx, login.id);
      return {};
    });
  },

  async logout(ctx, _request, call) {
    return await answering(ctx, async () => {
      const { request, reply } = pageOf(call);
      const browser = browserIfAny(request);
      // Whoever has no session has nothing to protect.
      if (!browser || sessionCookie(request) === undefined) return {};
      await checkChange(ctx, request);
      await endBrowserSessions(ctx, request, reply, browser);
      return {};
    });
  },
};

/**
 * A login that waits for a code. When somebody signed in meanwhile in another tab, it does not any more, and nothing is changed.
 *
 * @throws {ApiError} failed_precondition, and as `changeByPage`
 */
async function atCode(ctx: Ctx, call: Call): Promise<PageLogin & { readonly code: SignInCode }> {
  const found = await changeByPage(ctx, call);
  const { step, code } = await currentStep(ctx, found.login, found.sessions);
  if (step.kind !== 'email-code' || !code) throw noCode();
  return { ...found, code };
}

/** The same words for every address: budgets count before anything is known of it (AS-147). */
async function checkBudget(ctx: Ctx, loginRequestId: string): Promise<void> {
  const { db, environmentId } = ctx;
  const code = await findNewestCode(db, { environmentId, loginRequestId });
  if (code?.lastOutcome === 'budget') throw triedOut();
  if (code?.lastOutcome !== 'wait' || !code.waitUntil) return;
  const seconds = Math.ceil((code.waitUntil.getTime() - ctx.now().getTime()) / 1000);
  if (seconds <= 0) return;
  throw new ApiError('resource_exhausted', 'TOO_MANY_MAILS', `wait ${seconds} seconds`, {
    retryAfter: seconds,
  });
}

function refusalOf(reason: string): ApiError {
  switch (reason) {
    case 'older-code':
      return invalidField(FIELD, 'is from an earlier mail: use the newest one', 'value');
    case 'expired':
      return new ApiError('failed_precondition', 'CODE_EXPIRED', 'the code has expired');
    case 'code-used-up':
    case 'address-budget':
      return triedOut();
    default:
      return invalidField(FIELD, 'is not right', 'value');
  }
}

function triedOut(): ApiError {
  return new ApiError('resource_exhausted', 'TOO_MANY_TRIES', 'too many wrong codes');
}

function noCode(): ApiError {
  return new ApiError(
    'failed_precondition',
    'NO_CODE_PENDING',
    'no code can be typed in this login: see where it stands',
  );
}
