import { environmentOf } from '../../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../../environments/rate-limit.ts';
import { recordFor } from '../../events/events.ts';
import type { Ctx } from '../../runtime/context.ts';
import { type OAuthError, tooManyRequests } from '../oauth-error.ts';
import { facts, type Trail } from './grant.ts';

/**
 * Refused token requests of one network in a minute. Hosted products call for many people from few addresses, so it is far above
 * what anybody does by mistake; successful requests are never counted.
 */
const MOST_REFUSALS = 300;

/**
 * Records a refusal (AS-140), and says what to answer: the refusal, or 429 when the network has caused too many (AS-139). Beyond
 * the limit nothing is recorded: whoever has a public client's id, which is no secret, could fill the timeline.
 */
export async function recordRefusal(
  ctx: Ctx,
  refusal: OAuthError,
  trail: Trail,
): Promise<OAuthError> {
  // A limit that was reached before has been counted there.
  if (refusal.status === 429) return refusal;
  try {
    const wait = await overLimit(ctx);
    if (wait !== undefined) return tooManyRequests(wait, 'refused token requests of this network');
    await recordFor(ctx, {
      ...facts(trail),
      type: 'token.refused',
      outcome: 'failure',
      reason: refusal.code,
      data: {
        grantType: trail.grantType,
        description: refusal.description,
        ...(refusal.detail === undefined ? {} : { detail: refusal.detail }),
      },
    });
  } catch (cause) {
    // The refusal stands, recorded or not.
    ctx.log.warn(
      { requestId: ctx.requestId, cause: cause instanceof Error ? cause.message : typeof cause },
      'a refusal could not be recorded',
    );
  }
  return refusal;
}

/** Seconds to wait when this refusal was one too many. */
async function overLimit(ctx: Ctx): Promise<number | undefined> {
  if (!limitApplies(ctx, await environmentOf(ctx))) return undefined;
  const counted = await countAgainst(ctx, {
    name: 'token-refusals',
    key: networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 48 }),
    windowSeconds: 60,
    max: MOST_REFUSALS,
  });
  return counted.allowed ? undefined : counted.retryAfterSeconds;
}
