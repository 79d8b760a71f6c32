import { environmentOf } from '../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../environments/rate-limit.ts';
import type { Ctx } from '../runtime/context.ts';
import { hasSignedInHere } from '../sessions/sessions.store.ts';
import { PageError, type PageErrorFacts } from './page-error.ts';

const HOUR = 3600;
const DAY = 86_400;
const TRIES_PER_HOUR = 10;
const TRIES_PER_DAY = 30;
const TRIES_PER_HOUR_AND_NETWORK = 100;
const MAILS_PER_MINUTE = 2;
const MAILS_PER_HOUR = 10;

type Device = { readonly emailKey: string; readonly browserHash: Uint8Array };

/**
 * Counts one POST of the sign-in pages (AS-139).
 *
 * @throws {PageError} too-many-requests (429)
 */
export async function countSignInPost(ctx: Ctx, facts: PageErrorFacts = {}): Promise<void> {
  const environment = await environmentOf(ctx);
  if (!limitApplies(ctx, environment)) return;
  const counted = await countAgainst(ctx, {
    name: 'sign-in',
    key: networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 64 }),
    windowSeconds: 60,
    max: environment.settings.limits.signInPerMinute,
  });
  if (!counted.allowed) throw tooMany(counted.retryAfterSeconds, 'sign-in', facts);
}

/**
 * Counts one try of a code against the caller's network, all codes together (AS-147).
 *
 * @throws {PageError} too-many-requests (429)
 */
export async function countTryOfNetwork(ctx: Ctx, facts: PageErrorFacts): Promise<void> {
  const environment = await environmentOf(ctx);
  if (!limitApplies(ctx, environment)) return;
  const counted = await countAgainst(ctx, {
    name: 'code-tries-network',
    key: networkOf(ctx.network.address, { ipv4Bits: 24, ipv6Bits: 56 }),
    windowSeconds: HOUR,
    max: TRIES_PER_HOUR_AND_NETWORK,
  });
  if (!counted.allowed) throw tooMany(counted.retryAfterSeconds, 'code-tries-network', facts);
}

/**
 * Counts one try against the address, all requests together, before anything is compared (AS-147). A browser in which this
 * person has signed in before has its own count, so that strangers cannot lock people out of their own devices.
 */
export async function countTryOfAddress(ctx: Ctx, device: Device): Promise<boolean> {
  return await countTryWith(ctx, await tryKey(ctx, device));
}

/** The same where no browser is known: an application asks for the person. */
export async function countTryForApplication(ctx: Ctx, emailKey: string): Promise<boolean> {
  return await countTryWith(ctx, emailKey);
}

async function countTryWith(ctx: Ctx, key: string): Promise<boolean> {
  const hour = await countAgainst(ctx, triesPerHour(key));
  // A try that the hour refused must not use up the day as well.
  if (!hour.allowed) return false;
  return (await countAgainst(ctx, triesPerDay(key))).allowed;
}

/** Whether a further try for this address would be refused; counts nothing. */
export async function triesUsedUp(ctx: Ctx, device: Device): Promise<boolean> {
  const key = await tryKey(ctx, device);
  const hour = await countAgainst(ctx, { ...triesPerHour(key), cost: 0 });
  const day = await countAgainst(ctx, { ...triesPerDay(key), cost: 0 });
  return hour.count >= TRIES_PER_HOUR || day.count >= TRIES_PER_DAY;
}

export type MailBudget =
  | { readonly kind: 'free' }
  | { readonly kind: 'wait'; readonly seconds: number };

/** Counts one mail to an address, whether or not it will be sent: the limit must not tell known from unknown. */
export async function countMail(ctx: Ctx, emailKey: string): Promise<MailBudget> {
  const minute = await countAgainst(ctx, {
    name: 'sign-in-mails-minute',
    key: emailKey,
    windowSeconds: 60,
    max: MAILS_PER_MINUTE,
  });
  if (!minute.allowed) return { kind: 'wait', seconds: minute.retryAfterSeconds };
  const hour = await countAgainst(ctx, {
    name: 'sign-in-mails-hour',
    key: emailKey,
    windowSeconds: HOUR,
    max: MAILS_PER_HOUR,
  });
  return hour.allowed ? { kind: 'free' } : { kind: 'wait', seconds: hour.retryAfterSeconds };
}

async function tryKey(ctx: Ctx, { emailKey, browserHash }: Device): Promise<string> {
  const { db, environmentId } = ctx;
  if (!(await hasSignedInHere(db, { environmentId, browserHash, emailKey }))) return emailKey;
  return `${emailKey} ${Buffer.from(browserHash).toString('base64url')}`;
}

function triesPerHour(key: string) {
  return { name: 'code-tries-hour', key, windowSeconds: HOUR, max: TRIES_PER_HOUR };
}

function triesPerDay(key: string) {
  return { name: 'code-tries-day', key, windowSeconds: DAY, max: TRIES_PER_DAY };
}

function tooMany(seconds: number, limiter: string, facts: PageErrorFacts): PageError {
  return new PageError({ kind: 'too-many-requests', seconds, limiter }, facts);
}
