import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type EmailCodeError, type EmailCodeModel, emailCodePage } from '../pages/email-code.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { askForCode } from './ask-for-code.ts';
import { pageHandler, seeOther, sendPage } from './page-reply.ts';
import { findNewestCode, type SignInCode, TRIES_PER_CODE } from './sign-in-codes.store.ts';
import { CODE_MINUTES } from './sign-in-codes.ts';
import { SIX_DIGITS, typeCode } from './type-code.ts';
import {
  frameOfLogin,
  stepForm,
  stepPath,
  toHub,
  type Visit,
  visit,
  visitByPost,
} from './visit.ts';

const STEP = 'code';

/** Types the code from the mail (hosted-pages 3.3). What the last try came to is in the code's row, so a reload says it again. */
export function mountEmailCode(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const path = `/login/:id/${STEP}`;
  http.get(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const visited = await visit(ctx, request);
      if (visited.login.details.ownSignIn !== undefined) return toHub(reply, visited.login);
      const code = await pendingCode(ctx, visited);
      if (!code) return toHub(reply, visited.login);
      return await show(ctx, request, reply, { visited, code });
    }),
  );
  http.post(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const visited = await visitByPost(ctx, request);
      const { login } = visited;
      if (visited.kind === 'stale') return toHub(reply, login);
      const { action, code: typed = '' } = visited.form.params;
      if (action === 'change-email') return seeOther(reply, stepPath(login, 'email'));
      const pending = await pendingCode(ctx, visited);
      if (!pending) return toHub(reply, login);
      if (action === 'resend') {
        const address = parseEmail(pending.email);
        const { displayName } = pending;
        if (address)
          await askForCode(ctx, request, visited, { address, displayName, resend: true });
        return seeOther(reply, stepPath(login, STEP));
      }
      const digits = typed.replace(/[\s\p{Pd}]/gu, '').normalize('NFKC');
      if (!SIX_DIGITS.test(digits)) {
        const error: EmailCodeError = { kind: 'empty' };
        return await show(ctx, request, reply, { visited, code: pending, error });
      }
      return await verify(ctx, request, reply, { visited, digits });
    }),
  );
}

async function verify(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  { visited, digits }: { visited: Visit; digits: string },
): Promise<FastifyReply> {
  const { login } = visited;
  const outcome = await typeCode(ctx, request, reply, { login, digits });
  return outcome.kind === 'refused' ? seeOther(reply, stepPath(login, STEP)) : toHub(reply, login);
}

async function pendingCode(ctx: Ctx, { login }: Visit): Promise<SignInCode | undefined> {
  const { environmentId } = ctx;
  const code = await findNewestCode(ctx.db, { environmentId, loginRequestId: login.id });
  return code?.over ? undefined : code;
}

async function show(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: { visited: Visit; code: SignInCode; error?: EmailCodeError },
): Promise<FastifyReply> {
  const { visited, code } = shown;
  const page = emailCodePage(await frameOfLogin(ctx, request, visited.login), {
    form: stepForm(ctx, visited, STEP),
    purpose: visited.login.details.purpose,
    email: code.email,
    minutes: CODE_MINUTES,
    sender: senderOf(ctx),
    ...stateOf(ctx, code),
    ...(shown.error && { error: shown.error }),
  });
  return sendPage(ctx, reply, page, { formAction: 'absent', status: shown.error ? 400 : 200 });
}

type State = Pick<EmailCodeModel, 'error' | 'resent' | 'waitSeconds'>;

function stateOf(ctx: Ctx, code: SignInCode): State {
  const now = ctx.now().getTime();
  const wait = Math.ceil(((code.waitUntil?.getTime() ?? now) - now) / 1000);
  if (code.lastOutcome === 'wait' && wait > 0) {
    return { error: { kind: 'wait', seconds: wait }, waitSeconds: wait };
  }
  if (code.expiresAt.getTime() <= now) return { error: { kind: 'expired' } };
  if (code.lastOutcome === 'budget') return { error: { kind: 'budget' } };
  if (code.attempts >= TRIES_PER_CODE) return { error: { kind: 'used-up' } };
  if (code.lastOutcome === 'older') return { error: { kind: 'older' } };
  if (code.lastOutcome === 'wrong') {
    return { error: { kind: 'wrong', triesLeft: TRIES_PER_CODE - code.attempts } };
  }
  return { resent: code.lastOutcome === 'resent' };
}

/** The address people look for in their mail program. */
function senderOf(ctx: Ctx): string {
  const from = ctx.config.mail?.from ?? `no-reply@${new URL(ctx.issuer).hostname}`;
  return /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from;
}
