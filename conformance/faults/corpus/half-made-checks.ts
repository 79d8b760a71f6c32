import { createPublicKey } from 'node:crypto';
import {
  type CryptoKey,
  compactVerify,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
} from 'jose';
import type { Fault } from '../fault.ts';
import type { ReferenceServer } from '../good-server.ts';
import { json } from '../http.ts';
import type { Claims, Place } from '../parts.ts';
import { challengeOf, keySet, post } from '../probe.ts';
import { answerMcp } from '../resource-server.ts';

const step = 'challenge';
const ANYBODY = { scope: 'todo:read todo:delete' };
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

function checkClaims({ issuer, mcp }: Place, claims: Claims): Claims {
  if (claims['iss'] !== issuer || claims['aud'] !== mcp) throw new Error('claims');
  return claims;
}

function claimsFor(at: ReferenceServer): Record<string, string> {
  return { iss: at.issuer, aud: at.mcp, sub: 'x', client_id: 'x', scope: 'todo:read' };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Mistakes behind a check that looks finished. */
export const HALF_MADE_CHECKS: readonly Fault[] = [
  {
    id: 'forged-token-accepted',
    name: 'forged-token-with-its-own-key',
    step,
    wrong: 'The signature is checked with the key that the token itself brings along.',
    change: ({ place, parts }) => ({
      verifyToken: async (token) => {
        const { jwk } = decodeProtectedHeader(token);
        if (jwk === undefined) return parts.verifyToken(token);
        await compactVerify(token, await importJWK(jwk, 'RS256'));
        return checkClaims(place, decodeJwt(token));
      },
    }),
    visible: async (at) => {
      const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
      const token = await new SignJWT(claimsFor(at))
        .setProtectedHeader({ alg: 'RS256', jwk: await exportJWK(publicKey) })
        .sign(privateKey);
      return (await post(at, bearer(token))).status === 200;
    },
  },
  {
    id: 'unsigned-token-accepted',
    name: 'unsigned-token-in-other-case',
    step,
    wrong: '`none` is refused as an algorithm, and `None` is not.',
    change: ({ place, parts }) => ({
      verifyToken: async (token) => {
        const { alg } = decodeProtectedHeader(token);
        return alg !== 'none' && alg?.toLowerCase() === 'none'
          ? checkClaims(place, decodeJwt(token))
          : parts.verifyToken(token);
      },
    }),
    visible: async (at) => {
      const token = `${encoded({ alg: 'None', typ: 'at+jwt' })}.${encoded(claimsFor(at))}.`;
      return (await post(at, bearer(token))).status === 200;
    },
  },
  {
    id: 'hmac-token-accepted',
    name: 'hmac-token-without-line-end',
    step,
    wrong:
      'The public key was trimmed when it was read from the environment, and still serves as a secret.',
    change: ({ parts, place, keys }) => ({
      verifyToken: async (token) => {
        if (decodeProtectedHeader(token).alg !== 'HS256') return parts.verifyToken(token);
        const pem = (await exportSPKI(keys.publicKey)).trim();
        return checkClaims(place, (await jwtVerify(token, new TextEncoder().encode(pem))).payload);
      },
    }),
    visible: async (at) => {
      const [key] = await keySet(at);
      const pem = createPublicKey({ key: key ?? {}, format: 'jwk' }).export({
        type: 'spki',
        format: 'pem',
      });
      const token = await new SignJWT(claimsFor(at))
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(String(pem).trim()));
      return (await post(at, bearer(token))).status === 200;
    },
  },
  {
    id: 'well-known-bypass',
    name: 'well-known-bypass-by-query',
    step,
    wrong: 'The whole address is searched for the path of the metadata, its query too.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' && request.target.includes('/.well-known/oauth-protected-resource')
          ? answerMcp(parts, request, ANYBODY)
          : next(),
    }),
    visible: async (at) => {
      const path = '/mcp?x=/.well-known/oauth-protected-resource';
      return (await post(at, {}, { path })).status === 200;
    },
  },
  {
    id: 'well-known-bypass',
    name: 'well-known-bypass-by-encoding',
    step,
    wrong:
      'The beginning of the path is compared as it came, and the route is found after decoding.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) => {
        const decoded = new URL(decodeURIComponent(request.path), 'http://localhost').pathname;
        return request.path.startsWith('/.well-known/') && decoded === '/mcp'
          ? answerMcp(parts, request, ANYBODY)
          : next();
      },
    }),
    visible: async (at) =>
      (await post(at, {}, { path: '/.well-known/%2e%2e%2fmcp' })).status === 200,
  },
  {
    id: 'authorization-crash',
    name: 'authorization-crash-no-jwt',
    step,
    wrong: 'What does not decode as a JWT is `null`, and its header is read all the same.',
    change: ({ parts }) => ({
      readToken: (request) => {
        const found = parts.readToken(request);
        if (found.kind === 'token') decodeProtectedHeader(found.token);
        return found;
      },
    }),
    visible: async (at) => (await post(at, bearer('not-a-token'))).status === 500,
  },
  {
    id: 'authorization-crash',
    name: 'authorization-crash-unknown-key',
    step,
    wrong: 'A token whose key is not in the key set makes the look-up throw where nobody catches.',
    change: ({ parts, keys }) => ({
      readToken: (request) => {
        const found = parts.readToken(request);
        if (found.kind === 'token' && found.token.split('.').length === 3) {
          const known = new Map<string | undefined, CryptoKey>([[keys.kid, keys.publicKey]]);
          if (!known.has(decodeProtectedHeader(found.token).kid)) throw new Error('no such key');
        }
        return found;
      },
    }),
    visible: async (at) => {
      const token = `${encoded({ alg: 'RS256', kid: 'x' })}.${encoded(claimsFor(at))}.AAAA`;
      return (await post(at, bearer(token))).status === 500;
    },
  },
  {
    id: 'token-echoed',
    name: 'token-echoed-in-body',
    step,
    wrong: "The library's message, which quotes the token, is passed on in the body.",
    change: ({ parts }) => ({
      refuse: (refusal) => {
        const answer = parts.refuse(refusal);
        const { sent } = refusal;
        if (sent === undefined) return answer;
        return { ...answer, body: JSON.stringify({ error: `jwt malformed: ${sent}` }) };
      },
    }),
    visible: async (at) => {
      const response = await post(at, bearer('not-a-token'));
      return (
        !challengeOf(response).includes('not-a-token') &&
        (await response.text()).includes('not-a-token')
      );
    },
  },
  {
    id: 'unauthorized-as-200',
    name: 'unauthorized-as-200-invalid-request',
    step,
    wrong: 'The refusal has the body of an OAuth error, and status 200.',
    change: ({ parts }) => ({
      refuse: (refusal) =>
        refusal.status === 401
          ? json(200, { error: 'unauthorized', error_description: 'Bearer token required' })
          : parts.refuse(refusal),
    }),
    visible: async (at) => {
      const response = await post(at);
      return response.status === 200 && Object(await response.json()).error === 'unauthorized';
    },
  },
];
