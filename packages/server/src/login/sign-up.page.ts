import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { environmentOf } from '../environments/environments.ts';
import { blockedDomain } from '../environments/sign-up-rules.ts';
import { displayName } from '../pages/plain-text.ts';
import { type SignUpError, signUpPage } from '../pages/sign-up.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { askForCode } from './ask-for-code.ts';
import { pageHandler, seeOther, sendPage } from './page-reply.ts';
import {
  frameOfLogin,
  stepForm,
  stepPath,
  toHub,
  type Visit,
  visit,
  visitByPost,
} from './visit.ts';

const STEP = 'sign-up';
const LONGEST_NAME = 120;

/** Creates an account: the same code page follows whether the address is new or not (hosted-pages 3.2). */
export function mountSignUp(
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
      if (!(await isOpen(ctx))) return seeOther(reply, stepPath(visited.login, 'email'));
      return await show(ctx, request, reply, { visited, email: visited.login.email, name: '' });
    }),
  );
  http.post(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const visited = await visitByPost(ctx, request);
      if (visited.kind === 'stale') return toHub(reply, visited.login);
      if (!(await isOpen(ctx))) return seeOther(reply, stepPath(visited.login, 'email'));
      const { email = '', name = '' } = visited.form.params;
      const address = parseEmail(email);
      const kind = address ? await blockedAs(ctx, address.key) : malformedAs(email);
      if (!address || kind !== undefined) {
        const error: SignUpError = { field: 'email', kind: kind ?? 'malformed' };
        const typed = { email: email.slice(0, 254), name: name.slice(0, LONGEST_NAME) };
        return await show(ctx, request, reply, { visited, ...typed, error });
      }
      const wanted = { address, displayName: displayName(name, LONGEST_NAME), resend: false };
      await askForCode(ctx, request, visited, wanted);
      return toHub(reply, visited.login);
    }),
  );
}

function malformedAs(email: string): 'empty' | 'malformed' {
  return email.trim() === '' ? 'empty' : 'malformed';
}

/** The same for every address of a domain, so that it tells nothing of who exists (FSA-61). */
async function blockedAs(
  ctx: Ctx,
  emailKey: string,
): Promise<'public-domain' | 'disposable' | undefined> {
  const kind = blockedDomain((await environmentOf(ctx)).settings, emailKey);
  return kind === 'public' ? 'public-domain' : kind;
}

async function isOpen(ctx: Ctx): Promise<boolean> {
  return (await environmentOf(ctx)).settings.signUpAllowed;
}

async function show(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  shown: { visited: Visit; email: string | undefined; name: string; error?: SignUpError },
): Promise<FastifyReply> {
  const { visited, email, name, error } = shown;
  const { login } = visited;
  const page = signUpPage(await frameOfLogin(ctx, request, login), {
    form: stepForm(ctx, visited, STEP),
    purpose: login.details.purpose,
    email,
    name,
    error,
    signInUrl: stepPath(login, 'email'),
  });
  return sendPage(ctx, reply, page, { formAction: 'absent', status: error ? 400 : 200 });
}
