import { decodeJwt } from 'jose';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import type { Client } from './client.ts';
import { useAssertion } from './client-keys.store.ts';
import { verifyWithClientKeys } from './client-keys.ts';

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const LONGEST = 16_384;
const LONGEST_JTI = 512;
const LONGEST_LIFETIME_SECONDS = 600;
const SKEW_SECONDS = 30;
const TYPES = ['jwt', 'client-authentication+jwt'];

export type AssertionPlace = {
  /** The issuer of the endpoint that was called: R or E. */
  readonly issuer: string;
  /** E, which is accepted as audience everywhere in the environment (AS-93). */
  readonly environment: string;
  /** URL of the endpoint itself, for clients that an administrator allowed it to. */
  readonly endpoint: string;
};

export type AssertionCheck =
  | { readonly kind: 'valid' }
  | { readonly kind: 'wrong'; readonly detail: string }
  | { readonly kind: 'no-keys'; readonly detail: string };

const wrong = (detail: string): AssertionCheck => ({ kind: 'wrong', detail });

/** Who an assertion says it is from. Not proven: it only says which client's keys to try. */
export function claimedClientId(assertion: string): string | undefined {
  if (assertion.length > LONGEST) return undefined;
  try {
    const { sub } = decodeJwt(assertion);
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}

/** A client assertion (RFC 7523 section 3) by the rules of AS-92 and AS-93. A valid one is used up by this call. */
export async function checkAssertion(
  ctx: Ctx,
  client: Client,
  assertion: string,
  place: AssertionPlace,
): Promise<AssertionCheck> {
  if (assertion.length > LONGEST) return wrong('the assertion is too long');
  const result = await verifyWithClientKeys(ctx, client, assertion);
  if (result.kind !== 'verified') return result;
  const { claims } = result;
  const typ = result.typ?.toLowerCase().replace(/^application\//, '');
  if (typ !== undefined && !TYPES.includes(typ))
    return wrong('typ is not JWT or client-authentication+jwt');
  if (claims.iss !== client.id || claims.sub !== client.id)
    return wrong('iss and sub are not the client_id');
  if (!isAudience(claims.aud, client, place))
    return wrong('aud is not exactly the issuer of this endpoint');
  const now = Math.floor(ctx.now().getTime() / 1000);
  const { exp, iat, jti } = claims;
  if (exp === undefined) return wrong('exp is missing');
  if (exp > now + LONGEST_LIFETIME_SECONDS + SKEW_SECONDS)
    return wrong('exp is more than 10 minutes away');
  if (iat !== undefined && iat > now + SKEW_SECONDS) return wrong('iat is in the future');
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_JTI)
    return wrong('jti is missing or too long');
  const fresh = await useAssertion(ctx.db, {
    environmentId: ctx.environmentId,
    issuer: client.id,
    jtiHash: sha256(jti),
    expiresAt: new Date((exp + SKEW_SECONDS) * 1000),
  });
  return fresh ? { kind: 'valid' } : wrong('the assertion was used before');
}

/** AS-93: one value, compared as text. Endpoint URLs only where an administrator said so, never for self-registered clients. */
function isAudience(aud: unknown, client: Client, place: AssertionPlace): boolean {
  const value: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (typeof value !== 'string') return false;
  const endpointAllowed =
    client.registration === 'admin' && client.settings.assertionAudienceEndpoint === true;
  return (
    value === place.issuer ||
    value === place.environment ||
    (endpointAllowed && value === place.endpoint)
  );
}
