import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportSPKI,
  jwtVerify,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import type { Fault } from '../fault.ts';
import type { ReferenceServer } from '../good-server.ts';
import type { Claims, Place } from '../parts.ts';
import { keySet, post } from '../probe.ts';

/** What is left when the signature is forgotten. */
function checkClaims(place: Place, claims: Claims): Claims {
  const audiences = [claims['aud']].flat();
  if (claims['iss'] !== place.issuer) throw new Error('issuer');
  if (!audiences.includes(place.mcp)) throw new Error('audience');
  if (typeof claims['exp'] !== 'number' || claims['exp'] * 1000 < Date.now())
    throw new Error('exp');
  return claims;
}

function claimsFor(at: ReferenceServer): Record<string, string> {
  return { iss: at.issuer, aud: at.mcp, sub: 'x', client_id: 'x', scope: 'todo:read' };
}

async function accepted(at: ReferenceServer, token: string): Promise<boolean> {
  return (await post(at, { authorization: `Bearer ${token}` })).status === 200;
}

async function strangersToken(
  at: ReferenceServer,
  secret: Uint8Array,
  alg = 'HS256',
): Promise<string> {
  return await new SignJWT(claimsFor(at))
    .setProtectedHeader({ alg, typ: 'at+jwt' })
    .setExpirationTime('5m')
    .sign(secret);
}

/** Faults of the check of tokens that show to somebody who makes tokens of his own. */
export const TOKENS: readonly Fault[] = [
  {
    id: 'invalid-token-accepted',
    step: 'challenge',
    wrong: 'The server looks whether there is a token and not at the token.',
    change: () => ({ verifyToken: async () => ({ sub: 'somebody', scope: 'todo:read' }) }),
    visible: (at) => accepted(at, 'not-a-token'),
  },
  {
    id: 'forged-token-accepted',
    step: 'challenge',
    wrong: 'The token is decoded and its claims are checked, but never its signature.',
    change: ({ place }) => ({ verifyToken: async (token) => checkClaims(place, decodeJwt(token)) }),
    visible: async (at) => accepted(at, await strangersToken(at, new Uint8Array(32).fill(7))),
  },
  {
    id: 'unsigned-token-accepted',
    step: 'challenge',
    wrong: 'The algorithm is taken from the token, and `none` is among those the library knows.',
    change: ({ parts, place }) => ({
      verifyToken: async (token) =>
        decodeProtectedHeader(token).alg === 'none'
          ? checkClaims(place, decodeJwt(token))
          : parts.verifyToken(token),
    }),
    visible: async (at) =>
      accepted(at, new UnsecuredJWT(claimsFor(at)).setExpirationTime('5m').encode()),
  },
  {
    id: 'hmac-token-accepted',
    step: 'challenge',
    wrong:
      'The public key is handed to the library as text without a list of algorithms, so that it also serves as an HMAC secret.',
    change: ({ parts, place, keys }) => ({
      verifyToken: async (token) => {
        if (decodeProtectedHeader(token).alg !== 'HS256') return parts.verifyToken(token);
        const secret = new TextEncoder().encode(await exportSPKI(keys.publicKey));
        return checkClaims(place, (await jwtVerify(token, secret)).payload);
      },
    }),
    visible: async (at) => {
      const key = createLocalJWKSet({
        keys: (await keySet(at)).map((jwk) => ({ ...jwk, kty: 'RSA' })),
      });
      const pem = await exportSPKI(await key({ alg: 'RS256' }));
      return accepted(at, await strangersToken(at, new TextEncoder().encode(pem)));
    },
  },
];
