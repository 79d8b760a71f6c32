import { createLocalJWKSet, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Ctx } from '../runtime/context.ts';
import { publicKeySet } from './signing-keys.ts';

const LONGEST_TOKEN = 16_384;

/**
 * The claims of a JWT that this environment signed, or nothing. Only our algorithm, our keys, the asked kind (`typ`, RFC 8725
 * section 3.11) and a time to live that has not ended; issuer and audience are the caller's to compare, unless given.
 */
export async function verifyOwnJwt(
  ctx: Ctx,
  token: string,
  expected: {
    typ: string | readonly string[];
    audience?: string;
    issuer?: string;
    ignoreExpiry?: boolean;
  },
): Promise<{ claims: JWTPayload; kid: string } | undefined> {
  if (token.length > LONGEST_TOKEN) return undefined;
  try {
    const header = decodeProtectedHeader(token);
    const kinds = typeof expected.typ === 'string' ? [expected.typ] : expected.typ;
    if (
      typeof header.typ !== 'string' ||
      !kinds.includes(header.typ) ||
      typeof header.kid !== 'string'
    )
      return undefined;
    const { payload } = await jwtVerify(token, createLocalJWKSet(await publicKeySet(ctx)), {
      algorithms: ['RS256'],
      requiredClaims: ['iss', 'sub', 'exp', 'iat'],
      currentDate: expected.ignoreExpiry ? new Date(0) : ctx.now(),
      ...(expected.audience === undefined ? {} : { audience: expected.audience }),
      ...(expected.issuer === undefined ? {} : { issuer: expected.issuer }),
    });
    const issuer = payload.iss ?? '';
    if (issuer !== ctx.issuer && !issuer.startsWith(`${ctx.issuer}/resources/res_`))
      return undefined;
    return { claims: payload, kid: header.kid };
  } catch (error) {
    // Whatever is wrong with a stranger's token, it is not ours; trouble of our own must not look like that.
    if (error instanceof errors.JOSEError) return undefined;
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
