import { createHash } from 'node:crypto';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { Fault } from '../fault.ts';
import { json } from '../http.ts';
import { accessToken, call, challengeOf, post, signIn } from '../probe.ts';

const step = 'login';
const login = true;
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

/** Faults that only somebody with a real token meets. */
export const LOGIN: readonly Fault[] = [
  {
    id: 'login-failed',
    step,
    login,
    wrong:
      'The verifier is compared with base64 in its place of base64url: nearly every exchange fails.',
    change: () => ({
      verifierMatches: (challenge, verifier) =>
        createHash('sha256').update(verifier).digest('base64') === challenge,
    }),
    visible: async (at) => (await (await signIn(at)).redeem()).status === 400,
  },
  {
    id: 'token-wrong-audience-accepted',
    step,
    login,
    wrong: 'The audience is left out of the check: tokens of every other server are good here too.',
    change: ({ place, keys }) => {
      const keySet = createLocalJWKSet({ keys: [keys.publicJwk] });
      return {
        verifyToken: async (token) =>
          (await jwtVerify(token, keySet, { algorithms: ['RS256'], issuer: place.issuer })).payload,
      };
    },
    visible: async (at) => {
      const token = await accessToken(at, { resource: 'https://other.example.test/mcp' });
      return (await post(at, bearer(token))).status === 200;
    },
  },
  {
    id: 'scope-ignored',
    step,
    login,
    wrong: 'The check reads a claim that the token does not have, and finds nothing to refuse.',
    change: () => ({
      mayCall: (tool, { permissions }) => !Array.isArray(permissions) || permissions.includes(tool),
    }),
    visible: async (at) =>
      (await post(at, bearer(await accessToken(at)), call('delete_todo'))).status === 200,
  },
  {
    id: 'insufficient-scope-without-challenge',
    step,
    login,
    wrong: 'A missing scope is refused without saying which one is missing.',
    seen: 'anthropics/claude-code#44652',
    change: ({ parts }) => ({
      refuse: (refusal) =>
        refusal.status === 403 ? json(403, { error: 'Forbidden' }) : parts.refuse(refusal),
    }),
    visible: async (at) => {
      const response = await post(at, bearer(await accessToken(at)), call('delete_todo'));
      return response.status === 403 && challengeOf(response) === '';
    },
  },
  {
    id: 'query-token-accepted',
    step,
    login,
    wrong: 'The token is also taken from the address, where logs and histories keep it.',
    change: ({ parts }) => ({
      readToken: (request) => {
        const token = request.query.get('access_token');
        return token === null ? parts.readToken(request) : { kind: 'token', token };
      },
    }),
    visible: async (at) => {
      const path = `/mcp?access_token=${await accessToken(at)}`;
      return (await post(at, {}, { path })).status === 200;
    },
  },
  {
    id: 'iss-parameter-wrong',
    step,
    login,
    wrong:
      'The authorization response names the root of the host and not the issuer with its path.',
    change: ({ place }) => ({ issParameter: () => place.issuerOrigin }),
    visible: async (at) => (await signIn(at)).callback.get('iss') !== at.issuer,
  },
  {
    id: 'refresh-not-rotated',
    step,
    login,
    wrong:
      'A public client gets the same refresh token for ever, so that a stolen one is never noticed.',
    change: () => ({ nextRefreshToken: (_tokens, used) => used }),
    visible: async (at) => {
      const first = await signIn(at);
      const used = String(Object(await (await first.redeem()).json()).refresh_token);
      return Object(await (await first.refresh(used)).json()).refresh_token === used;
    },
  },
  {
    id: 'replayed-code-accepted',
    step,
    login,
    wrong: 'Codes are stateless and can be redeemed until they expire.',
    seen: 'keboola/mcp-server#505',
    change: () => ({ redeem: (codes, code) => codes.get(code) }),
    visible: async (at) => {
      const authorized = await signIn(at);
      await authorized.redeem();
      return (await authorized.redeem()).status === 200;
    },
  },
];
