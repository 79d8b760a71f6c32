import type { FastifyReply, FastifyRequest } from 'fastify';
import { clearCookie } from '../http/cookies.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { SESSION_COOKIE, signOutBrowser } from '../sessions/sessions.ts';
import { type Browser, sessionCookie } from './browser.ts';

/** Everybody signed in in this browser is signed out of it: the next one at this machine finds nobody. */
export async function endBrowserSessions(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  browser: Browser,
): Promise<void> {
  const by = { cookie: sessionCookie(request), browserHash: browser.hash, because: 'signed-out' };
  await ctx.db.transaction((tx) => signOutBrowser(withDb(ctx, tx), by));
  clearCookie(request, reply, SESSION_COOKIE);
}
