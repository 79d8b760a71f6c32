import {
  challenge,
  type Fault,
  PUBLIC,
  redirectTo,
  resourceMembers,
  withHeaders,
} from '../fault.ts';
import type { ReferenceServer } from '../good-server.ts';
import { html, parseObject } from '../http.ts';
import { challengeOf, post, resourceDocument } from '../probe.ts';

const TOOL = 'http://localhost:6274';
const tokenPath = ({ issuer }: { issuer: string }): string => new URL(`${issuer}/token`).pathname;

async function strangersExchange(at: ReferenceServer): Promise<Response> {
  return await at.fetch(`${at.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', code: 'x', client_id: 'x' }),
  });
}

/** Mistakes that have a finding already, made in another way. */
export const SECOND_LOOKS: readonly Fault[] = [
  {
    id: 'endpoint-not-found',
    name: 'endpoint-is-a-page',
    step: 'reach',
    wrong: 'The address is the one of the web application, whose page answers everything.',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' ? html(200, 'To-do list') : next(),
    }),
    visible: async (at) => (await (await post(at)).text()).startsWith('<'),
  },
  {
    id: 'challenge-missing',
    name: 'challenge-is-a-sign-in-page',
    step: 'challenge',
    wrong: 'Whoever has no session is redirected to a page to sign in, as in a web application.',
    change: () => ({
      resourceFront: async (request, next) => {
        if (request.path === '/login') return html(200, 'Sign in');
        const answer = await next();
        return request.path === '/mcp' && answer.status === 401
          ? { ...redirectTo('/login'), status: 302 }
          : answer;
      },
    }),
    visible: async (at) => (await post(at)).headers.get('location') === '/login',
  },
  {
    id: 'resource-metadata-elsewhere',
    name: 'resource-metadata-http-behind-proxy',
    step: 'challenge',
    wrong: 'Behind the proxy that ends TLS the address of the metadata begins with http.',
    seen: 'tuist/tuist#9663',
    names: PUBLIC,
    change: challenge((good) => good.replace('="https:', '="http:')),
    visible: async (at) => challengeOf(await post(at)).includes('resource_metadata="http:'),
  },
  {
    id: 'prm-resource-mismatch',
    name: 'prm-resource-trailing-slash',
    step: 'resource-metadata',
    wrong: '`resource` has a slash at its end that the address of the endpoint has not.',
    seen: 'PrefectHQ/fastmcp#1431',
    change: resourceMembers(({ mcp }) => ({ resource: `${mcp}/` })),
    visible: async (at) => (await resourceDocument(at))['resource'] === `${at.mcp}/`,
  },
  {
    id: 'as-token-error-not-oauth',
    name: 'as-token-error-as-200',
    step: 'authorization-server',
    wrong: 'Errors of the token endpoint have status 200.',
    change: ({ place }) => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        return request.path === tokenPath(place) && answer.status >= 400
          ? { ...answer, status: 200 }
          : answer;
      },
    }),
    visible: async (at) => (await strangersExchange(at)).status === 200,
  },
  {
    id: 'as-cors-missing',
    name: 'as-cors-missing-at-token',
    step: 'cors',
    wrong: 'The metadata may be read by scripts, and the token endpoint may not be called by them.',
    seen: 'getsentry/sentry-mcp#999',
    change: ({ place }) => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        return request.path === tokenPath(place)
          ? withHeaders(answer, { 'access-control-allow-origin': undefined })
          : answer;
      },
    }),
    visible: async (at) =>
      !(await strangersExchange(at)).headers.has('access-control-allow-origin'),
  },
  {
    id: 'cors-credentials-wildcard',
    name: 'cors-credentials-reflected',
    step: 'cors',
    wrong: 'Whatever origin asks is copied into the answer, and credentials are allowed for it.',
    change: ({ parts }) => ({
      resourceCors: (request) => {
        const { origin } = request.headers;
        return origin === undefined
          ? {}
          : {
              ...parts.resourceCors({ ...request, headers: { origin: TOOL } }),
              'access-control-allow-origin': origin,
              'access-control-allow-credentials': 'true',
            };
      },
    }),
    visible: async (at) => {
      const { headers } = await post(at, { origin: 'https://attacker.example' });
      return headers.get('access-control-allow-origin') === 'https://attacker.example';
    },
  },
  {
    id: 'challenge-not-exposed',
    name: 'challenge-without-cors',
    step: 'cors',
    wrong: 'CORS is set up for preflights and answers, and the 401 leaves before it is added.',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        return request.path === '/mcp' && answer.status === 401
          ? withHeaders(answer, {
              'access-control-allow-origin': undefined,
              'access-control-expose-headers': undefined,
            })
          : answer;
      },
    }),
    visible: async (at) => {
      const { status, headers } = await post(at, { origin: TOOL });
      return status === 401 && !headers.has('access-control-allow-origin');
    },
  },
  {
    id: 'open-endpoint',
    name: 'open-endpoint-stateless',
    step: 'challenge',
    wrong: 'The check looks for `initialize`, which clients of 2026-07-28 never send.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        const { id, method } = parseObject(request.body) ?? {};
        if (request.path !== '/mcp' || answer.status !== 401 || method === 'initialize')
          return answer;
        return request.method === 'POST' && parts.readToken(request).kind === 'none'
          ? {
              status: 200,
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [] } }),
            }
          : answer;
      },
    }),
    visible: async (at) =>
      (await post(at, {}, { body: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}' }))
        .status === 200,
  },
];
