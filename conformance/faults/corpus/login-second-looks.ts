import { SignJWT } from 'jose';
import type { Fault } from '../fault.ts';
import { html, json, parseObject } from '../http.ts';
import { accessToken, call, post, signIn } from '../probe.ts';

const step = 'login';
const login = true;
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

/** Mistakes of a sign-in that have a finding already, made in another way. */
export const LOGIN_SECOND_LOOKS: readonly Fault[] = [
  {
    id: 'iss-parameter-wrong',
    name: 'iss-parameter-promised',
    step,
    login,
    wrong: 'The metadata promises `iss`, and the authorization response has none.',
    change: () => ({ issParameter: () => undefined }),
    visible: async (at) => !(await signIn(at)).callback.has('iss'),
  },
  {
    id: 'login-failed',
    name: 'login-failed-redirect-uri',
    step,
    login,
    wrong: 'A redirect URI that was accepted at the registration is refused at the authorization.',
    seen: 'tableau/tableau-mcp#866',
    change: ({ place }) => ({
      authorizationFront: async (request, next) => {
        const { pathname } = new URL(`${place.issuer}/authorize`);
        const answer = await next();
        return request.path === pathname && answer.status === 302
          ? html(400, 'This redirect URI is not registered')
          : answer;
      },
    }),
    visible: async (at) => (await signIn(at)).callback.get('code') === null,
  },
  {
    id: 'login-failed',
    name: 'login-failed-at-refresh',
    step,
    login,
    wrong: 'Refreshing fails, because the client is asked for a secret it never got.',
    change: ({ place }) => ({
      authorizationFront: async (request, next) =>
        request.path === new URL(`${place.issuer}/token`).pathname &&
        request.body.includes('grant_type=refresh_token')
          ? json(401, { error: 'invalid_client' }, { 'access-control-allow-origin': '*' })
          : next(),
    }),
    visible: async (at) => {
      const { redeem, refresh } = await signIn(at);
      const { refresh_token } = Object(await (await redeem()).json());
      return (await refresh(String(refresh_token))).status === 401;
    },
  },
  {
    id: 'login-failed',
    name: 'login-failed-after-refresh',
    step,
    login,
    wrong: 'The resource is forgotten at the refresh, and the next token is for nobody here.',
    seen: 'casdoor/casdoor#5744',
    change: ({ place, keys }) => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        if (!request.body.includes('grant_type=refresh_token') || answer.status !== 200)
          return answer;
        const access_token = await new SignJWT({ scope: 'todo:read', client_id: 'x', sub: 'x' })
          .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: keys.kid })
          .setIssuer(place.issuer)
          .setAudience(place.issuer)
          .setExpirationTime('5m')
          .sign(keys.privateKey);
        return { ...answer, body: JSON.stringify({ ...parseObject(answer.body), access_token }) };
      },
    }),
    visible: async (at) => {
      const { redeem, refresh } = await signIn(at);
      const { refresh_token } = Object(await (await redeem()).json());
      const next = Object(await (await refresh(String(refresh_token))).json());
      return (await post(at, bearer(String(next.access_token)))).status === 401;
    },
  },
  {
    id: 'insufficient-scope-without-challenge',
    name: 'insufficient-scope-as-401',
    step,
    login,
    wrong:
      'A missing scope is refused with 401 and invalid_token, so that clients refresh and try again for ever.',
    seen: 'anthropics/claude-code#28258',
    change: ({ parts }) => ({
      refuse: (refusal) =>
        parts.refuse(
          refusal.error === 'insufficient_scope'
            ? { ...refusal, status: 401, error: 'invalid_token' }
            : refusal,
        ),
    }),
    visible: async (at) =>
      (await post(at, bearer(await accessToken(at)), call('delete_todo'))).status === 401,
  },
  {
    id: 'insufficient-scope-without-challenge',
    name: 'insufficient-scope-as-tool-error',
    step,
    login,
    wrong: 'The tool looks at the scopes itself and refuses with a tool error and status 200.',
    seen: 'anthropics/claude-code#68720',
    change: ({ parts }) => ({
      refuse: (refusal) =>
        refusal.error === 'insufficient_scope'
          ? json(200, {
              jsonrpc: '2.0',
              id: 1,
              result: {
                isError: true,
                content: [{ type: 'text', text: 'Insufficient scope: todo:delete is required' }],
              },
            })
          : parts.refuse(refusal),
    }),
    visible: async (at) => {
      const response = await post(at, bearer(await accessToken(at)), call('delete_todo'));
      return response.status === 200 && Object(await response.json()).result.isError === true;
    },
  },
];
