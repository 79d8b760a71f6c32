import ipaddr from 'ipaddr.js';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { sql } from '../storage/db.ts';
import type { Environment } from './environments.store.ts';

/** A limit as it is counted: `max` units in each window of `windowSeconds`. */
export type RateLimit = {
  readonly name: string;
  readonly key: string;
  readonly windowSeconds: number;
  readonly max: number;
  readonly cost?: number;
};
export type RateLimitResult = {
  readonly allowed: boolean;
  readonly count: number;
  readonly retryAfterSeconds: number;
};

/**
 * Counts one attempt in every process's common counter, and says whether it is still within the limit. The count comes before
 * the decision, so that parallel attempts cannot share one unit. The key is stored as a digest: it may hold an address or e-mail.
 */
export async function countAgainst(
  ctx: Pick<Ctx, 'db' | 'environmentId' | 'now' | 'metrics'>,
  limit: RateLimit,
): Promise<RateLimitResult> {
  const now = ctx.now();
  const ends = new Date(now.getTime() + limit.windowSeconds * 1000);
  const cost = limit.cost ?? 1;
  const key = `${limit.name}:${Buffer.from(sha256(limit.key)).toString('base64url').slice(0, 22)}`;
  const rows = await ctx.db.rows<{ count: number; window_ends_at: Date }>(sql`
    insert into rate_limits (environment_id, key, window_started_at, window_ends_at, count)
    values (${ctx.environmentId}, ${key}, ${now}, ${ends}, ${cost})
    on conflict (environment_id, key) do update set
      count = case when rate_limits.window_ends_at <= ${now} then ${cost} else rate_limits.count + ${cost} end,
      window_started_at = case when rate_limits.window_ends_at <= ${now} then ${now} else rate_limits.window_started_at end,
      window_ends_at = case when rate_limits.window_ends_at <= ${now} then ${ends} else rate_limits.window_ends_at end
    returning count, window_ends_at`);
  const counted = rows[0];
  if (!counted) throw new Error('a rate limit was not counted');
  const allowed = counted.count <= limit.max;
  if (!allowed) ctx.metrics.count('gatewarden_rate_limited_total', { limit: limit.name });
  return {
    allowed,
    count: counted.count,
    retryAfterSeconds: Math.max(
      1,
      Math.ceil((counted.window_ends_at.getTime() - now.getTime()) / 1000),
    ),
  };
}

/** Whether limits per network hold for this caller: in development loopback is spared, unless the environment says otherwise. */
export function limitApplies(
  ctx: Pick<Ctx, 'config' | 'network'>,
  environment: Environment,
): boolean {
  return (
    ctx.config.mode !== 'dev' ||
    environment.settings.limitsApplyToLoopback ||
    !isLoopbackAddress(ctx.network.address)
  );
}

/** The network of an address, as `address/bits`; an IPv4 address in IPv6 clothing counts as IPv4. What does not parse is its own network. */
export function networkOf(
  address: string,
  bits: { readonly ipv4Bits: number; readonly ipv6Bits: number },
): string {
  if (!ipaddr.isValid(address)) return `unknown ${address}`;
  const parsed = ipaddr.process(address);
  const length = parsed.kind() === 'ipv4' ? bits.ipv4Bits : bits.ipv6Bits;
  const masked = parsed.toByteArray().map((byte, index) => byte & maskByte(length - index * 8));
  return `${ipaddr.fromByteArray(masked).toString()}/${length}`;
}

export function isLoopbackAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}

function maskByte(bitsLeft: number): number {
  if (bitsLeft >= 8) return 0xff;
  return bitsLeft <= 0 ? 0 : (0xff << (8 - bitsLeft)) & 0xff;
}
