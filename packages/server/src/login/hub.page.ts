import type { FastifyInstance, FastifyRequest } from 'fastify';
import { environmentOf } from '../environments/environments.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { continuePath } from './login-requests.ts';
import { nextStep, type Step } from './next-step.ts';
import { leaveForOwnSignIn } from './own-sign-in.ts';
import { pageHandler, seeOther } from './page-reply.ts';
import { findNewestCode } from './sign-in-codes.store.ts';
import { stepPath, visit } from './visit.ts';

const PATHS: Readonly<Record<Exclude<Step['kind'], 'done' | 'own-sign-in'>, string>> = {
  identify: 'email',
  'sign-up': 'sign-up',
  'email-code': 'code',
  'pick-account': 'account',
};

/** `GET /login/{id}`: where every step returns to. It sends the browser to the step that `nextStep` names, or on. */
export function mountLoginHub(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const hub = pageHandler(contextOf, async (ctx, request, reply) => {
    const { login, sessions } = await visit(ctx, request);
    const { environmentId } = ctx;
    const code = await findNewestCode(ctx.db, { environmentId, loginRequestId: login.id });
    const { settings } = await environmentOf(ctx);
    const step = nextStep(login, {
      current: sessions.current,
      others: sessions.all.length - (sessions.current ? 1 : 0),
      codeAskedAt: code && !code.over ? code.createdAt : undefined,
      signUpAllowed: settings.signUpAllowed,
      now: ctx.now(),
    });
    if (step.kind === 'own-sign-in')
      return seeOther(reply, await leaveForOwnSignIn(ctx, login, step.connectionId));
    return seeOther(
      reply,
      step.kind === 'done' ? continuePath(login) : stepPath(login, PATHS[step.kind]),
    );
  });
  http.get('/login/:id', { config: { page: true } }, hub);
}
