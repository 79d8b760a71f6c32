import { type Fault, withHeaders } from '../fault.ts';
import type { ReferenceServer } from '../good-server.ts';
import { post, resourceMetadata, serverMetadata } from '../probe.ts';

/** The origin of a debugging tool that people run beside the server. */
const TOOL = 'http://localhost:6274';

async function preflight(at: ReferenceServer): Promise<Response> {
  return await at.fetch(at.mcp, {
    method: 'OPTIONS',
    headers: {
      origin: TOOL,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,mcp-protocol-version',
    },
  });
}

/** Faults that only clients in browsers meet. */
export const CORS: readonly Fault[] = [
  {
    id: 'preflight-needs-token',
    step: 'cors',
    wrong:
      'The check of the token answers OPTIONS with 401, although browsers cannot send one there.',
    seen: 'IBM/mcp-context-forge#2152',
    change: ({ parts }) => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' && request.method === 'OPTIONS'
          ? parts.refuse({ status: 401, scope: 'todo:read' })
          : next(),
    }),
    visible: async (at) => (await preflight(at)).status === 401,
  },
  {
    id: 'preflight-headers-missing',
    step: 'cors',
    wrong: 'The preflight allows Content-Type and none of the headers that MCP needs.',
    seen: 'getsentry/sentry-mcp#509',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        return request.path === '/mcp' && request.method === 'OPTIONS'
          ? withHeaders(answer, { 'access-control-allow-headers': 'Content-Type' })
          : answer;
      },
    }),
    visible: async (at) =>
      (await preflight(at)).headers.get('access-control-allow-headers') === 'Content-Type',
  },
  {
    id: 'challenge-not-exposed',
    step: 'cors',
    wrong: 'A script in a browser sees the 401 and not its challenge.',
    change: ({ parts }) => ({
      resourceCors: (request) => {
        const { 'access-control-expose-headers': _, ...headers } = parts.resourceCors(request);
        return headers;
      },
    }),
    visible: async (at) => {
      const response = await post(at, { origin: TOOL });
      return (
        response.headers.has('access-control-allow-origin') &&
        !response.headers.has('access-control-expose-headers')
      );
    },
  },
  {
    id: 'cors-credentials-wildcard',
    step: 'cors',
    wrong: 'Every origin may call, and with credentials.',
    change: ({ parts }) => ({
      resourceCors: (request) => ({
        ...parts.resourceCors(request),
        'access-control-allow-origin': '*',
        'access-control-allow-credentials': 'true',
      }),
    }),
    visible: async (at) =>
      (await post(at, { origin: TOOL })).headers.has('access-control-allow-credentials'),
  },
  {
    id: 'prm-cors-missing',
    step: 'cors',
    wrong: 'Scripts in browsers cannot read the protected resource metadata.',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        return request.path.startsWith('/.well-known/')
          ? withHeaders(answer, { 'access-control-allow-origin': undefined })
          : answer;
      },
    }),
    visible: async (at) => !(await resourceMetadata(at)).headers.has('access-control-allow-origin'),
  },
  {
    id: 'as-cors-missing',
    step: 'cors',
    wrong: 'Scripts in browsers cannot read the metadata of the authorization server, nor call it.',
    seen: 'getsentry/sentry-mcp#999',
    change: () => ({
      authorizationFront: async (_request, next) =>
        withHeaders(await next(), { 'access-control-allow-origin': undefined }),
    }),
    visible: async (at) => !(await serverMetadata(at)).headers.has('access-control-allow-origin'),
  },
];

/** Faults of the endpoint as a transport. */
export const TRANSPORT: readonly Fault[] = [
  {
    id: 'origin-unchecked',
    step: 'transport',
    wrong:
      'A page of any origin may send requests: with a name that leads to 127.0.0.1 it reaches local servers.',
    change: () => ({ originAllowed: () => true }),
    visible: async (at) => (await post(at, { origin: 'https://attacker.example' })).status === 401,
  },
  {
    id: 'get-hangs',
    step: 'transport',
    wrong: 'GET is accepted and never answered; clients wait for it before they send anything.',
    seen: 'runpod/runpod-mcp#79',
    change: () => ({
      resourceFront: (request, next) =>
        request.path === '/mcp' && request.method === 'GET' ? new Promise(() => {}) : next(),
    }),
    visible: async (at) => {
      try {
        await at.fetch(at.mcp, { signal: AbortSignal.timeout(300) });
        return false;
      } catch (error) {
        return Object(error).name === 'TimeoutError';
      }
    },
  },
];
