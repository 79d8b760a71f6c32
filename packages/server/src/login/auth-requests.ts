import { type EventOf, eventOf } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { failAuthRequest, insertRefusedRequest } from './auth-requests.store.ts';
import type { LoginRequest } from './login-requests.store.ts';

/** A failure that is written down, and why. */
type Failure = EventOf & { readonly reason: string };

/** Writes down that an authorization request was refused at once: the event, and a line of the log (FSA-89). */
export async function logRefusal(ctx: Ctx, failure: Failure): Promise<void> {
  const { environmentId } = ctx;
  await insertRefusedRequest(ctx.db, {
    environmentId,
    id: newId(ctx, 'req'),
    flowId: failure.flowId,
    clientId: failure.clientId,
    mcpServerId: failure.mcpServerId,
    reason: failure.reason,
    now: ctx.now(),
    event: eventOf(ctx, { ...failure, outcome: 'failure' }),
  });
}

/** Writes down that a frozen request has failed: the event, and its line of the log (FSA-89). */
export async function logFailure(ctx: Ctx, login: LoginRequest, failure: Failure): Promise<void> {
  const { environmentId } = ctx;
  const { flowId, clientId, mcpServerId } = login;
  await failAuthRequest(ctx.db, {
    environmentId,
    id: login.authRequestId,
    reason: failure.reason,
    userId: failure.userId,
    now: ctx.now(),
    event: eventOf(ctx, { flowId, clientId, mcpServerId, ...failure, outcome: 'failure' }),
  });
}

/** Between these all ids have 19 digits, so that they compare as texts. Nothing here is older, or will be newer. */
const EARLIEST = Date.UTC(2000, 0);
const LATEST = Date.UTC(2045, 0);

/** The least id that a request of this moment or later can have. */
export function firstAuthRequestId(moment: Date): string {
  const within = new Date(Math.min(Math.max(moment.getTime(), EARLIEST), LATEST));
  return newId({ now: () => within, random: (bytes) => new Uint8Array(bytes) }, 'req');
}
