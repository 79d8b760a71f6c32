import { createLocalJWKSet, errors, type JWTPayload, type JWTVerifyResult, jwtVerify } from 'jose';
import type { Ctx } from '../runtime/context.ts';
import { forgetRow, rowCache } from '../storage/row-cache.ts';
import type { Client, ClientJwks } from './client.ts';
import { isHostKnown } from './client-documents.store.ts';
import { jwksProblem } from './client-jwks.ts';
import { findKeySet, type StoredKeySet, saveKeySet } from './client-keys.store.ts';
import { type Acquaintance, fetchWithinBudget } from './fetch-budget.ts';

/** RFC 7523 with what AS-92 allows; no symmetric algorithm, and never `none`. */
export const ASSERTION_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

const LIMITS = { timeoutMs: 5000, maxBytes: 65_536, accept: ['application/json', '+json'] };
const SKEW_SECONDS = 30;
/** A key set is asked for anew after this; one that was valid within a day still counts while its host is down. */
const FRESH_MS = 15 * 60_000;
const USABLE_MS = 24 * 60 * 60_000;
/** Keys tried when the assertion does not say which one: each costs as much as a check. */
const MOST_TRIED = 8;
/** How often an unknown key id may make us look again. */
const REFETCH_MS = 30_000;

export type Verified =
  | { readonly kind: 'verified'; readonly claims: JWTPayload; readonly typ: string | undefined }
  | { readonly kind: 'wrong'; readonly detail: string }
  /** The keys cannot be had now: trouble on the way, and no fault of the client's. */
  | { readonly kind: 'no-keys'; readonly detail: string };

/** Verifies signature and times of a JWT by a client's published keys; the audience and the rest are the caller's. */
export async function verifyWithClientKeys(
  ctx: Ctx,
  client: Client,
  jwt: string,
): Promise<Verified> {
  const keys = await clientKeys(ctx, client, false);
  if (keys.kind !== 'keys') return keys;
  const first = await verify(ctx, keys.jwks, jwt);
  if (first !== 'unknown-key') return first;
  // One more look for a key that was published since (AS-92).
  const again = await clientKeys(ctx, client, true);
  if (again.kind !== 'keys') return again;
  const second = await verify(ctx, again.jwks, jwt);
  return second === 'unknown-key'
    ? { kind: 'wrong', detail: 'no published key verifies the signature' }
    : second;
}

type Keys =
  | { readonly kind: 'keys'; readonly jwks: ClientJwks }
  | Exclude<Verified, { kind: 'verified' }>;

const remembered = rowCache<StoredKeySet>('client_key_sets');
// Callers of one URL share one fetch. Per app, like the fetch function it hangs on.
const flights = new WeakMap<object, Map<string, Promise<BudgetedKeys>>>();
type BudgetedKeys = Keys | { readonly kind: 'unreachable'; readonly detail: string };

/** @param again the keys we know do not help: ask the host, but not again and again */
async function clientKeys(ctx: Ctx, client: Client, again: boolean): Promise<Keys> {
  if (client.jwks) return { kind: 'keys', jwks: client.jwks };
  const { jwksUri } = client;
  if (jwksUri === undefined) return { kind: 'wrong', detail: 'the client has no keys' };
  const read = () => findKeySet(ctx.db, { environmentId: ctx.environmentId, url: jwksUri });
  const stored = again ? await read() : await remembered(ctx, ctx.environmentId, jwksUri, read);
  const age = stored ? ctx.now().getTime() - stored.fetchedAt.getTime() : Number.POSITIVE_INFINITY;
  if (stored && age < (again ? REFETCH_MS : FRESH_MS)) return { kind: 'keys', jwks: stored.jwks };
  const fetched = await fetchOnce(ctx, client, jwksUri, stored !== undefined);
  if (fetched.kind !== 'unreachable') return fetched;
  return stored && age < USABLE_MS
    ? { kind: 'keys', jwks: stored.jwks }
    : { kind: 'no-keys', detail: fetched.detail };
}

function fetchOnce(
  ctx: Ctx,
  client: Client,
  url: string,
  isStored: boolean,
): Promise<BudgetedKeys> {
  const inFlight = flights.get(ctx.fetch) ?? new Map<string, Promise<BudgetedKeys>>();
  flights.set(ctx.fetch, inFlight);
  const key = `${ctx.environmentId} ${url}`;
  const current = inFlight.get(key);
  if (current) return current;
  const flight = fetchKeys(ctx, client, url, isStored).finally(() => inFlight.delete(key));
  inFlight.set(key, flight);
  return flight;
}

async function fetchKeys(
  ctx: Ctx,
  client: Client,
  url: string,
  isStored: boolean,
): Promise<BudgetedKeys> {
  const acquaintance = isStored ? 'url' : await acquaintanceOf(ctx, client, url);
  const fetched = await fetchWithinBudget(ctx, url, LIMITS, acquaintance);
  if (fetched.kind === 'busy') return { kind: 'unreachable', detail: 'too many fetches' };
  if (fetched.kind === 'failed') return { kind: 'unreachable', detail: fetched.detail };
  const check = jwksProblem(parsed(fetched.body));
  if (check.kind === 'invalid')
    return { kind: 'wrong', detail: `the key set cannot be used: ${check.problem}` };
  const { environmentId } = ctx;
  await saveKeySet(ctx.db, { environmentId, url, jwks: check.jwks, now: ctx.now() });
  forgetRow(
    ctx.db,
    JSON.stringify({ table: 'client_key_sets', environment_id: environmentId, id: url }),
  );
  return { kind: 'keys', jwks: check.jwks };
}

/** Anybody can register a `jwks_uri`: a host that we know nothing of counts as a new one (AS-74). */
async function acquaintanceOf(ctx: Ctx, client: Client, jwksUri: string): Promise<Acquaintance> {
  const host = new URL(jwksUri).hostname;
  const known =
    client.registration === 'admin' ||
    (await isHostKnown(ctx.db, { environmentId: ctx.environmentId, host }));
  return known ? 'host' : 'none';
}

async function verify(ctx: Ctx, jwks: ClientJwks, jwt: string): Promise<Verified | 'unknown-key'> {
  const options = {
    algorithms: ASSERTION_ALGORITHMS,
    clockTolerance: SKEW_SECONDS,
    currentDate: ctx.now(),
  };
  try {
    return verified(await jwtVerify(jwt, createLocalJWKSet({ keys: [...jwks.keys] }), options));
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'unknown-key';
    if (error instanceof errors.JWKSMultipleMatchingKeys)
      return await verifyWithAny(error, jwt, options);
    if (error instanceof errors.JWSSignatureVerificationFailed)
      return { kind: 'wrong', detail: 'the signature is wrong' };
    return {
      kind: 'wrong',
      detail:
        error instanceof errors.JOSEError
          ? error.message
          : 'the assertion is not a JWT of a usable key',
    };
  }
}

/** No key id, several keys: the signature decides (RFC 7517 section 4.5 makes the id optional). */
async function verifyWithAny(
  candidates: errors.JWKSMultipleMatchingKeys,
  jwt: string,
  options: { algorithms: string[]; clockTolerance: number; currentDate: Date },
): Promise<Verified | 'unknown-key'> {
  let tried = 0;
  for await (const key of candidates) {
    tried += 1;
    if (tried > MOST_TRIED)
      return { kind: 'wrong', detail: 'too many keys could have signed it: it needs a kid' };
    try {
      return verified(await jwtVerify(jwt, key, options));
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed))
        return { kind: 'wrong', detail: 'the assertion is not valid' };
    }
  }
  return { kind: 'wrong', detail: 'the signature is wrong' };
}

function verified(result: JWTVerifyResult): Verified {
  return { kind: 'verified', claims: result.payload, typ: result.protectedHeader.typ };
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
