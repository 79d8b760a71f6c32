import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { recordFor } from '../events/events.ts';
import { clearCookie } from '../http/cookies.ts';
import { pickAccountPage } from '../pages/pickers.ts';
import { type App, type Ctx, withDb } from '../runtime/context.ts';
import { endSession, SESSION_COOKIE, switchSession } from '../sessions/sessions.ts';
import { sessionCookie, setSessionCookie } from './browser.ts';
import { setPromptDone } from './login-requests.store.ts';
import { expired } from './login-requests.ts';
import { leaveForOwnSignIn } from './own-sign-in.ts';
import { pageHandler, seeOther, sendPage } from './page-reply.ts';
import { endCodes } from './sign-in-codes.store.ts';
import { eventFacts } from './sign-in-codes.ts';
import {
  frameOfLogin,
  stepForm,
  stepPath,
  toHub,
  type Visit,
  visit,
  visitByPost,
} from './visit.ts';

const STEP = 'account';

/** Who of the people signed in in this browser it should be: `prompt=select_account`, and "Not you? Switch account". */
export function mountPickAccount(
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
      const { login, sessions } = visited;
      const { ownSignIn } = login.details;
      // Who else it could be is known there alone.
      if (ownSignIn !== undefined)
        return seeOther(reply, await leaveForOwnSignIn(ctx, login, ownSignIn));
      if (sessions.all.length === 0) return seeOther(reply, stepPath(login, 'email'));
      const page = pickAccountPage(await frameOfLogin(ctx, request, login), {
        form: stepForm(ctx, visited, STEP),
        purpose: login.details.purpose,
        accounts: sessions.all.map(({ id, email, name }) => ({
          id,
          email,
          name: name || undefined,
        })),
      });
      return sendPage(ctx, reply, page, { formAction: 'absent' });
    }),
  );
  http.post(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const visited = await visitByPost(ctx, request);
      const { login } = visited;
      if (visited.kind === 'stale') return toHub(reply, login);
      const { account_id: chosen, remove_account_id: removed } = visited.form.params;
      if (removed !== undefined) return await remove(ctx, request, reply, { visited, id: removed });
      if (chosen !== undefined) return await choose(ctx, request, reply, { visited, id: chosen });
      return seeOther(reply, stepPath(login, 'email'));
    }),
  );
}

type Choice = { visited: Visit; id: string };

async function choose(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  { visited, id }: Choice,
): Promise<FastifyReply> {
  const { login } = visited;
  const { environmentId } = ctx;
  const now = ctx.now();
  const cookie = sessionCookie(request);
  const outcome = await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    if (!(await setPromptDone(tx, { environmentId, id: login.id, now }))) return 'over';
    const by = { sessionId: id, cookie, browserHash: login.browserHash };
    const value = await switchSession(inside, by);
    if (value === undefined) return undefined;
    await endCodes(tx, { environmentId, loginRequestId: login.id, now });
    const person = visited.sessions.all.find((session) => session.id === id);
    await recordFor(inside, {
      type: 'sign_in.account_chosen',
      userId: person?.userId,
      ...eventFacts(login),
      data: { sessionId: id },
    });
    return { value };
  });
  if (outcome === 'over') throw expired(login);
  // Not one of this browser's sessions, or ended meanwhile: the picker again, and nothing else.
  if (outcome === undefined) return seeOther(reply, stepPath(login, STEP));
  await setSessionCookie(ctx, request, reply, outcome.value);
  return toHub(reply, login);
}

async function remove(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  { visited, id }: Choice,
): Promise<FastifyReply> {
  const { login, sessions } = visited;
  const by = {
    sessionId: id,
    cookie: sessionCookie(request),
    browserHash: login.browserHash,
    because: 'removed-from-device',
  };
  const ended = await ctx.db.transaction((tx) => endSession(withDb(ctx, tx), by));
  if (ended && sessions.all.length === 1) clearCookie(request, reply, SESSION_COOKIE);
  return seeOther(reply, stepPath(login, STEP));
}
