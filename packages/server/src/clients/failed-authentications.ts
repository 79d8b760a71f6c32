import { environmentOf } from '../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../environments/rate-limit.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Client } from './client.ts';

/** Where only the address counts, many people's clients share it: hosted products call from few addresses. */
const PER_ADDRESS_FACTOR = 6;
const MOST_REMEMBERED = 10_000;

// Which keys are over their limit, as this process learnt it: a guess costs no database while it lasts. Per app.
const exhausted = new WeakMap<object, Map<string, number>>();

/**
 * Failed client authentications are counted per client and network; where the client is shared or unknown, per network alone, so
 * that nobody can lock others out of a row they share (AS-91). Successes cost nothing.
 */
export type FailureLimit = { readonly key: string; readonly perClient: boolean };

export function failureLimitOf(ctx: Ctx, client: Client | undefined): FailureLimit {
  const network = networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 64 });
  const perClient =
    client !== undefined && !client.shared && client.registration !== 'metadata-document';
  return { key: perClient ? `${client.id} ${network}` : network, perClient };
}

/** Seconds to wait when guesses from here at this client have used up their limit. */
export function exhaustedFor(ctx: Ctx, limit: FailureLimit): number | undefined {
  if (!limit.perClient) return undefined;
  const until = exhausted.get(ctx.fetch)?.get(`${ctx.environmentId} ${limit.key}`);
  if (until === undefined) return undefined;
  const seconds = Math.ceil((until - ctx.now().getTime()) / 1000);
  return seconds > 0 ? seconds : undefined;
}

/** Counts one failure, in every process's common counter. Seconds to wait when it was one too many. */
export async function countFailure(ctx: Ctx, limit: FailureLimit): Promise<number | undefined> {
  const environment = await environmentOf(ctx);
  if (!limitApplies(ctx, environment)) return undefined;
  const perMinute = environment.settings.limits.failedAuthenticationPerMinute;
  const counted = await countAgainst(ctx, {
    name: limit.perClient ? 'client-authentication' : 'client-authentication-network',
    key: limit.key,
    windowSeconds: 60,
    max: limit.perClient ? perMinute : perMinute * PER_ADDRESS_FACTOR,
  });
  if (counted.count < (limit.perClient ? perMinute : perMinute * PER_ADDRESS_FACTOR))
    return undefined;
  remember(ctx, limit.key, counted.retryAfterSeconds);
  return counted.allowed ? undefined : counted.retryAfterSeconds;
}

function remember(ctx: Ctx, key: string, seconds: number): void {
  const known = exhausted.get(ctx.fetch) ?? new Map<string, number>();
  exhausted.set(ctx.fetch, known);
  if (known.size >= MOST_REMEMBERED) known.clear();
  known.set(`${ctx.environmentId} ${key}`, ctx.now().getTime() + seconds * 1000);
}
