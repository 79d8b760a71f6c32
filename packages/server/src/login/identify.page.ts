import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { environmentOf } from '../environments/environments.ts';
import { type IdentifyError, identifyPage } from '../pages/identify.ts';
import type { FormTarget } from '../pages/parts.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { suggestEmail } from '../users/suggest-email.ts';
import { askForCode } from './ask-for-code.ts';
import { pageHandler, sendPage } from './page-reply.ts';
import {
  frameOfLogin,
  stepForm,
  stepPath,
  toHub,
  type Visit,
  visit,
  visitByPost,
} from './visit.ts';

const STEP = 'email';
/** Hidden field: the address that was typed although another was suggested. */
const AS_TYPED = 'as_typed';

/** The first step: the e-mail address (hosted-pages 3.1). Also where "use another account" leads. */
export function mountIdentify(
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
      return await show(ctx, request, reply, { visited, email: prefilled(visited) });
    }),
  );
  http.post(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const visited = await visitByPost(ctx, request);
      if (visited.kind === 'stale') return toHub(reply, visited.login);
      const typed = visited.form.params['email'] ?? '';
      const address = parseEmail(typed);
      if (!address) {
        const error: IdentifyError = { kind: typed.trim() === '' ? 'empty' : 'malformed' };
        return await show(ctx, request, reply, { visited, email: typed.slice(0, 254), error });
      }
      const suggestedEmail = suggestEmail(address.email);
      if (suggestedEmail !== undefined && visited.form.params[AS_TYPED] !== address.email) {
        const { email } = address;
        return await show(ctx, request, reply, { visited, email, suggestedEmail });
      }
      await askForCode(ctx, request, visited, { address, displayName: '', resend: false });
      return toHub(reply, visited.login);
    }),
  );
}

async function show(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: {
    visited: Visit;
    email: string | undefined;
    error?: IdentifyError;
    suggestedEmail?: string;
  },
): Promise<FastifyReply> {
  const { visited, email, error, suggestedEmail } = shown;
  const { login, sessions } = visited;
  const { settings } = await environmentOf(ctx);
  const form = stepForm(ctx, visited, STEP);
  const page = identifyPage(await frameOfLogin(ctx, request, login), {
    form: suggestedEmail === undefined ? form : asTyped(form, email),
    suggestedEmail,
    purpose: login.details.purpose,
    email,
    error,
    signUpUrl: settings.signUpAllowed ? stepPath(login, 'sign-up') : undefined,
    confirmIdentity: sessions.current !== undefined && mustProve(visited),
  });
  return sendPage(ctx, reply, page, { formAction: 'absent', status: error ? 400 : 200 });
}

/** Who presses Continue again means what they typed. */
function asTyped(form: FormTarget, email = ''): FormTarget {
  return { ...form, hidden: { ...form.hidden, [AS_TYPED]: email } };
}

function mustProve({ login }: Visit): boolean {
  return login.details.prompts.includes('login') || login.details.maxAge !== undefined;
}

/** What was typed before, else whom the client means, else who must prove it again. A hint proves nothing (AS-29). */
function prefilled(visited: Visit): string | undefined {
  const { login, sessions } = visited;
  const hint = login.details.loginHint;
  if (login.email !== undefined) return login.email;
  if (hint !== undefined) return parseEmail(hint)?.email;
  return mustProve(visited) ? sessions.current?.email : undefined;
}
