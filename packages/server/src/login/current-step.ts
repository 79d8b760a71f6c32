import { environmentOf } from '../environments/environments.ts';
import type { Ctx } from '../runtime/context.ts';
import type { BrowserSessions } from '../sessions/sessions.ts';
import type { LoginRequest } from './login-requests.store.ts';
import { nextStep, type Step } from './next-step.ts';
import { findNewestCode, type SignInCode } from './sign-in-codes.store.ts';

/** Where a login stands, and the code that can still be typed in it, if there is one. */
export async function currentStep(
  ctx: Ctx,
  login: LoginRequest,
  sessions: BrowserSessions,
): Promise<{ readonly step: Step; readonly code: SignInCode | undefined }> {
  const { environmentId } = ctx;
  const newest = await findNewestCode(ctx.db, { environmentId, loginRequestId: login.id });
  const code = newest?.over ? undefined : newest;
  const { settings } = await environmentOf(ctx);
  const step = nextStep(login, {
    current: sessions.current,
    others: sessions.all.length - (sessions.current ? 1 : 0),
    codeAskedAt: code?.createdAt,
    signUpAllowed: settings.signUpAllowed,
    now: ctx.now(),
  });
  return { step, code };
}
