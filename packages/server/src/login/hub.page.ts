import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { App, Ctx } from '../runtime/context.ts';
import { currentStep } from './current-step.ts';
import { continuePath } from './login-requests.ts';
import type { Step } from './next-step.ts';
import { leaveForOwnSignIn } from './own-sign-in.ts';
import { pageHandler, seeOther } from './page-reply.ts';
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
    const { step } = await currentStep(ctx, login, sessions);
    if (step.kind === 'own-sign-in')
      return seeOther(reply, await leaveForOwnSignIn(ctx, login, step.connectionId));
    return seeOther(
      reply,
      step.kind === 'done' ? continuePath(login) : stepPath(login, PATHS[step.kind]),
    );
  });
  http.get('/login/:id', { config: { page: true } }, hub);
}
