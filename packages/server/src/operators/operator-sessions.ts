import { recordFor } from '../events/events.ts';
import type { Caller } from '../http/callers.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import {
  endOperatorSession as endRow,
  findOperatorSession,
  insertOperatorSession,
  touchOperatorSession,
} from './operator-sessions.store.ts';

/** Name of the cookie of the console, without what the environment adds (AS-130). */
export const OPERATOR_COOKIE = 'operator';
/** However much it is used, an operator's session ends after this. */
export const OPERATOR_SESSION_SECONDS = 12 * 3600;

const ABSOLUTE_MS = OPERATOR_SESSION_SECONDS * 1000;
const IDLE_MS = 3_600_000;
const TOUCH_EVERY_MS = 60_000;
const ID_ATTEMPTS = 5;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * Signs an operator in. Whoever calls this has proved who it is.
 *
 * @returns the value for the cookie, which is stored only as a hash; undefined when there is no such operator any more
 */
export async function startOperatorSession(
  ctx: Ctx,
  operatorId: string,
): Promise<{ readonly sessionId: string; readonly cookie: string } | undefined> {
  const { environmentId, network } = ctx;
  const token = newSecret(ctx);
  const now = ctx.now();
  for (let attempt = 0; attempt < ID_ATTEMPTS; attempt += 1) {
    const sessionId = newId(ctx, 'ops');
    const session = {
      environmentId,
      id: sessionId,
      tokenHash: sha256(token),
      operatorId,
      now,
      idleExpiresAt: new Date(now.getTime() + IDLE_MS),
      absoluteExpiresAt: new Date(now.getTime() + ABSOLUTE_MS),
      address: network.address,
      userAgent: network.userAgent,
    };
    const started = await ctx.db.transaction(async (tx) => {
      if (!(await insertOperatorSession(tx, session))) return false;
      const data = { operator_id: operatorId, session_id: sessionId };
      await recordFor(withDb(ctx, tx), { type: 'operator.signed_in', data });
      return true;
    });
    if (started) return { sessionId, cookie: token };
  }
  return undefined;
}

/** Signs an operator out, by the cookie's value. False: nobody was signed in with it. */
export async function endOperatorSession(ctx: Ctx, cookie: string): Promise<boolean> {
  if (!TOKEN.test(cookie)) return false;
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const ended = await endRow(tx, { environmentId, tokenHash: sha256(cookie), now: ctx.now() });
    if (!ended) return false;
    const data = { operator_id: ended.operatorId, session_id: ended.id };
    await recordFor(withDb(ctx, tx), { type: 'operator.signed_out', data });
    return true;
  });
}

/** The operator behind the cookie, with the role of this moment. */
export async function operatorOf(
  ctx: Ctx,
  cookie: (name: string) => string | undefined,
): Promise<Caller | undefined> {
  const token = cookie(OPERATOR_COOKIE);
  if (token === undefined || !TOKEN.test(token)) return undefined;
  const { db, environmentId } = ctx;
  const now = ctx.now();
  const found = await findOperatorSession(db, { environmentId, tokenHash: sha256(token), now });
  if (!found) return undefined;
  const { id, operatorId, role, lastActiveAt } = found;
  if (now.getTime() - lastActiveAt.getTime() >= TOUCH_EVERY_MS) {
    const idleExpiresAt = new Date(now.getTime() + IDLE_MS);
    await touchOperatorSession(db, { environmentId, id, now, idleExpiresAt });
  }
  return { kind: 'operator', operatorId, role };
}
