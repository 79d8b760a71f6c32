import { challenge, type Fault, withHeaders } from '../fault.ts';
import { json, parseObject } from '../http.ts';
import { call, challengeOf, post } from '../probe.ts';
import { answerMcp } from '../resource-server.ts';

const GARBAGE = { authorization: 'Bearer not-a-token' };
const ANYBODY = { scope: 'todo:read todo:delete' };

async function challengeMatches(
  at: Parameters<Fault['visible']>[0],
  pattern: RegExp,
): Promise<boolean> {
  const response = await post(at);
  return response.status === 401 && pattern.test(challengeOf(response));
}

/** Faults of the answer to somebody without a token, or with nonsense in its place. */
export const CHALLENGE: readonly Fault[] = [
  {
    id: 'open-endpoint',
    step: 'challenge',
    wrong: 'The check of the token was mounted behind the route of the endpoint and never runs.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' && request.method === 'POST'
          ? answerMcp(parts, request, ANYBODY)
          : next(),
    }),
    visible: async (at) => (await post(at)).status === 200,
  },
  {
    id: 'unprotected-get',
    step: 'challenge',
    wrong: 'Only POST is checked; GET opens the stream of events for everybody.',
    seen: 'agigante80/actual-mcp-server#447',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' && request.method === 'GET'
          ? {
              status: 200,
              headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
              body: ': connected\n\n',
              open: true,
            }
          : next(),
    }),
    visible: async (at) => {
      const response = await at.fetch(at.mcp, { headers: { accept: 'text/event-stream' } });
      await response.body?.cancel();
      return response.status === 200;
    },
  },
  {
    id: 'unprotected-delete',
    step: 'challenge',
    wrong: 'Only POST is checked; DELETE ends a session for everybody who knows its id.',
    seen: 'agigante80/actual-mcp-server#447',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' && request.method === 'DELETE'
          ? json(200, { ended: true })
          : next(),
    }),
    visible: async (at) => (await at.fetch(at.mcp, { method: 'DELETE' })).status === 200,
  },
  {
    id: 'challenge-missing',
    step: 'challenge',
    wrong: 'The 401 has no WWW-Authenticate header, so that no client learns where to sign in.',
    seen: 'SocketDev/socket-mcp#185',
    change: challenge(() => undefined),
    visible: async (at) => challengeMatches(at, /^$/),
  },
  {
    id: 'challenge-not-bearer',
    step: 'challenge',
    wrong: 'A gateway in front of the server asks for a password.',
    change: challenge(() => 'Basic realm="mcp"'),
    visible: async (at) => challengeMatches(at, /^Basic/),
  },
  {
    id: 'challenge-malformed',
    step: 'challenge',
    wrong: 'The values of the challenge have no quotes, although an address cannot stand without.',
    change: challenge((good) => good.replaceAll('"', '')),
    visible: async (at) => challengeMatches(at, /resource_metadata=http/),
  },
  {
    id: 'resource-metadata-missing',
    step: 'challenge',
    wrong: 'The challenge is the one of RFC 6750 and does not name the metadata.',
    change: challenge((good) =>
      good.includes('error=') ? 'Bearer error="invalid_token"' : 'Bearer realm="mcp"',
    ),
    visible: async (at) => challengeMatches(at, /^Bearer realm="mcp"$/),
  },
  {
    id: 'resource-metadata-relative',
    step: 'challenge',
    wrong: 'The challenge names the metadata by a path, which client libraries drop.',
    seen: 'sample code in documentation',
    change: challenge((good, origin) => good.replace(origin, '')),
    visible: async (at) => challengeMatches(at, /resource_metadata="\//),
  },
  {
    id: 'resource-metadata-elsewhere',
    step: 'challenge',
    wrong: "The address of the metadata is still the one of the developer's machine.",
    seen: 'Mnexa-AI/e2a#635',
    change: challenge((good, origin) => good.replace(origin, 'http://localhost:8000')),
    visible: async (at) => challengeMatches(at, /resource_metadata="http:\/\/localhost:8000/),
  },
  {
    id: 'error-without-token',
    step: 'challenge',
    wrong: 'A request without any token is told that its token is invalid.',
    change: ({ parts }) => ({
      refuse: (refusal) =>
        parts.refuse(refusal.status === 401 ? { ...refusal, error: 'invalid_token' } : refusal),
    }),
    visible: async (at) => challengeMatches(at, /error="invalid_token"/),
  },
  {
    id: 'unauthorized-as-403',
    step: 'challenge',
    wrong: 'A request without a token is refused with 403, after which no client signs in.',
    change: ({ parts }) => ({
      refuse: (refusal) => {
        const answer = parts.refuse(refusal);
        return refusal.error === undefined ? { ...answer, status: 403 } : answer;
      },
    }),
    visible: async (at) => (await post(at)).status === 403,
  },
  {
    id: 'unauthorized-as-200',
    step: 'challenge',
    wrong: 'The refusal is a JSON-RPC error with status 200.',
    seen: 'ProfessionalWiki/MediaWiki-MCP-Server#443',
    change: () => ({
      refuse: () =>
        json(200, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Unauthorized' } }),
    }),
    visible: async (at) => {
      const response = await post(at);
      return response.status === 200 && Object(await response.json()).error !== undefined;
    },
  },
  {
    id: 'unauthorized-as-200',
    name: 'unauthorized-as-tool-error',
    step: 'challenge',
    wrong:
      'Everything is open but the tools, and those say with status 200 that one should sign in.',
    seen: 'Softeria/ms-365-mcp-server#406',
    change: ({ parts }) => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        if (request.path !== '/mcp' || answer.status !== 401) return answer;
        const { id, method } = parseObject(request.body) ?? {};
        if (method !== 'tools/call') return answerMcp(parts, request, ANYBODY);
        const content = [{ type: 'text', text: 'Please sign in first' }];
        return json(200, { jsonrpc: '2.0', id, result: { isError: true, content } });
      },
    }),
    visible: async (at) => {
      const response = await post(at, {}, call('list_todos'));
      return response.status === 200 && Object(await response.json()).result.isError === true;
    },
  },
  {
    id: 'invalid-token-without-error',
    step: 'challenge',
    wrong: 'A bad token gets the same challenge as no token, so that clients do not refresh.',
    seen: 'exa-labs/exa-mcp-server#337',
    change: ({ parts }) => ({
      refuse: ({ error, description, ...refusal }) =>
        error === 'invalid_token'
          ? parts.refuse(refusal)
          : parts.refuse({
              ...refusal,
              ...(error && { error }),
              ...(description && { description }),
            }),
    }),
    visible: async (at) => {
      const response = await post(at, GARBAGE);
      return response.status === 401 && !challengeOf(response).includes('error=');
    },
  },
  {
    id: 'invalid-token-as-403',
    step: 'challenge',
    wrong: 'A bad token is refused with 403, as if signing in again could not help.',
    change: ({ parts }) => ({
      refuse: (refusal) => {
        const answer = parts.refuse(refusal);
        return refusal.error === 'invalid_token' ? { ...answer, status: 403 } : answer;
      },
    }),
    visible: async (at) => (await post(at, GARBAGE)).status === 403,
  },
  {
    id: 'authorization-crash',
    step: 'challenge',
    wrong:
      'The header is split at the space and its second half used unseen: `Bearer` alone is a crash.',
    change: ({ parts }) => ({
      readToken: (request) => {
        const { authorization } = request.headers;
        if (authorization === undefined) return { kind: 'none' };
        const token = authorization.split(' ')[1];
        if (token === undefined)
          throw new TypeError("Cannot read properties of undefined (reading 'trim')");
        return parts.readToken(request);
      },
    }),
    visible: async (at) => (await post(at, { authorization: 'Bearer' })).status === 500,
  },
  {
    id: 'scheme-case-sensitive',
    step: 'challenge',
    wrong: 'The scheme is compared with `startsWith("Bearer ")`, although schemes have no case.',
    change: ({ parts }) => ({
      readToken: (request) =>
        request.headers['authorization']?.startsWith('Bearer ')
          ? parts.readToken(request)
          : { kind: 'none' },
    }),
    visible: async (at) => {
      const response = await post(at, { authorization: 'bearer not-a-token' });
      return response.status === 401 && !challengeOf(response).includes('error=');
    },
  },
  {
    id: 'well-known-bypass',
    step: 'challenge',
    wrong:
      'The check lets pass every address that contains `.well-known`, so also one behind the endpoint.',
    change: ({ parts }) => ({
      resourceFront: async (request, next) =>
        request.path.startsWith('/mcp') && request.target.includes('.well-known')
          ? answerMcp(parts, request, ANYBODY)
          : next(),
    }),
    visible: async (at) => (await post(at, {}, { path: '/mcp/.well-known/x' })).status === 200,
  },
  {
    id: 'token-echoed',
    step: 'challenge',
    wrong: 'The error repeats the token, which then stands in every log on the way.',
    change: ({ parts }) => ({
      refuse: (refusal) =>
        parts.refuse(
          refusal.sent === undefined
            ? refusal
            : { ...refusal, description: `Invalid token: ${refusal.sent}` },
        ),
    }),
    visible: async (at) => (await (await post(at, GARBAGE)).text()).includes('not-a-token'),
  },
  {
    id: 'challenge-missing',
    name: 'challenge-removed-by-proxy',
    step: 'challenge',
    wrong: 'A proxy replaces the body and headers of every 401 by its own page.',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        return answer.status === 401 && request.path === '/mcp'
          ? withHeaders(
              { ...answer, body: '<h1>401</h1>' },
              {
                'www-authenticate': undefined,
                'content-type': 'text/html',
              },
            )
          : answer;
      },
    }),
    visible: async (at) => challengeMatches(at, /^$/),
  },
];
