import { type Environment, environmentOf } from '../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../environments/rate-limit.ts';
import type { Ctx } from '../runtime/context.ts';
import type { FetchLimits, FetchOutcome } from '../runtime/safe-fetch.ts';
import { isLoopbackUrl } from '../runtime/safe-fetch-url.ts';

/** How well we know what is fetched; strangers share what is left over. */
export type Acquaintance =
  /** This URL had a valid document or key set before. */
  | 'url'
  /** Another URL of its host had. */
  | 'host'
  | 'none';

export type BudgetedOutcome =
  | FetchOutcome
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number };

const AT_ONCE = { total: 16, perOrigin: 4 };
/** What strangers leave free at any moment, so that a flood of slow hosts does not stop known clients. */
const STRANGERS_AT_ONCE = { total: 8, perOrigin: 3 };

type Running = {
  total: number;
  strangers: number;
  origins: Map<string, { all: number; strangers: number }>;
};
// One per process and app: concurrency protects this process, the counters in the database protect everybody else.
const runningFetches = new WeakMap<object, Running>();

/**
 * Fetches within the limits of AS-74: per origin and in total, per minute in every process together and at once in this one.
 * New hosts are limited per network of the caller, so that nobody can use us to knock on doors.
 */
export async function fetchWithinBudget(
  ctx: Ctx,
  url: string,
  limits: FetchLimits,
  acquaintance: Acquaintance,
): Promise<BudgetedOutcome> {
  const { origin } = new URL(url);
  const running = runningOf(ctx);
  const stranger = acquaintance !== 'url';
  if (!enter(running, origin, stranger)) return { kind: 'busy', retryAfterSeconds: 2 };
  try {
    const environment = await environmentOf(ctx);
    const wait = await overLimit(ctx, environment, new URL(url), acquaintance);
    if (wait !== undefined) return { kind: 'busy', retryAfterSeconds: wait };
    return await ctx.fetch(url, limits);
  } finally {
    leave(running, origin, stranger);
  }
}

/** Seconds to wait when a limit is reached. */
async function overLimit(
  ctx: Ctx,
  environment: Environment,
  url: URL,
  acquaintance: Acquaintance,
): Promise<number | undefined> {
  const { limits, limitsApplyToLoopback } = environment.settings;
  // In development, documents on this machine are nobody else's trouble.
  if (isLoopbackUrl(url) && !limitsApplyToLoopback) return undefined;
  if (acquaintance === 'none' && limitApplies(ctx, environment)) {
    const key = networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 48 });
    const counted = await countAgainst(ctx, {
      name: 'document-hosts',
      key,
      windowSeconds: 60,
      max: limits.newDocumentHostsPerMinutePerNetwork,
    });
    if (!counted.allowed) return counted.retryAfterSeconds;
  }
  const known = acquaintance === 'url';
  const perOrigin = limits.documentFetchesPerMinutePerOrigin;
  const total = limits.documentFetchesPerMinute;
  return (
    (await countShared(ctx, {
      name: 'document-origin',
      key: url.origin,
      max: perOrigin,
      reserved: Math.floor(perOrigin / 4),
      known,
    })) ??
    (await countShared(ctx, {
      name: 'documents',
      key: '',
      max: total,
      reserved: Math.floor(total / 2),
      known,
    }))
  );
}

type SharedLimit = { name: string; key: string; max: number; reserved: number; known: boolean };

/** A limit of which a part is kept for what was valid before; the rest is for everybody. */
async function countShared(
  ctx: Ctx,
  { name, key, max, reserved, known }: SharedLimit,
): Promise<number | undefined> {
  if (known) {
    const own = await countAgainst(ctx, {
      name: `${name}-known`,
      key,
      windowSeconds: 60,
      max: reserved,
    });
    if (own.allowed) return undefined;
  }
  const open = await countAgainst(ctx, { name, key, windowSeconds: 60, max: max - reserved });
  return open.allowed ? undefined : open.retryAfterSeconds;
}

function runningOf(ctx: Ctx): Running {
  const known = runningFetches.get(ctx.fetch);
  if (known) return known;
  const made: Running = { total: 0, strangers: 0, origins: new Map() };
  runningFetches.set(ctx.fetch, made);
  return made;
}

function enter(running: Running, origin: string, stranger: boolean): boolean {
  const here = running.origins.get(origin) ?? { all: 0, strangers: 0 };
  if (running.total >= AT_ONCE.total || here.all >= AT_ONCE.perOrigin) return false;
  if (
    stranger &&
    (running.strangers >= STRANGERS_AT_ONCE.total || here.strangers >= STRANGERS_AT_ONCE.perOrigin)
  )
    return false;
  running.total += 1;
  here.all += 1;
  if (stranger) {
    running.strangers += 1;
    here.strangers += 1;
  }
  running.origins.set(origin, here);
  return true;
}

function leave(running: Running, origin: string, stranger: boolean): void {
  const here = running.origins.get(origin) ?? { all: 1, strangers: 0 };
  running.total -= 1;
  here.all -= 1;
  if (stranger) {
    running.strangers -= 1;
    here.strangers -= 1;
  }
  if (here.all === 0) running.origins.delete(origin);
}
