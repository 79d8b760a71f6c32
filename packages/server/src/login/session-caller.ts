import type { Caller } from '../http/callers.ts';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { SESSION_COOKIE, sessionsOf } from '../sessions/sessions.ts';
import { BROWSER_COOKIE } from './browser.ts';
import { rightsOfSession } from './session-caller.store.ts';

/**
 * The person who is signed in on the hosted pages of this browser, with the organization the session is open in and what the
 * person's roles there permit at this moment. Without an active membership there is no organization and no permission.
 */
export async function personOf(
  ctx: Ctx,
  cookie: (name: string) => string | undefined,
): Promise<Caller | undefined> {
  const browser = cookie(BROWSER_COOKIE);
  const browserHash = browser === undefined ? undefined : sha256(browser);
  const { current } = await sessionsOf(ctx, cookie(SESSION_COOKIE), browserHash);
  if (!current) return undefined;
  const { id: sessionId, userId } = current;
  const rights = await rightsOfSession(ctx.db, { environmentId: ctx.environmentId, sessionId });
  return {
    kind: 'session',
    sessionId,
    userId,
    organizationId: rights?.organizationId,
    permissions: new Set(rights?.permissions),
  };
}
