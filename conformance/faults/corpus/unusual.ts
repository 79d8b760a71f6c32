import { generateKeyPairSync } from 'node:crypto';
import { challenge, resourceMembers, serverMembers, withHeaders } from '../fault.ts';
import type { Change } from '../good-server.ts';
import { empty, html, json, parseObject } from '../http.ts';

/** A server that is right in a way that one does not meet every day. */
export type Unusual = {
  readonly name: string;
  readonly change?: Change;
  readonly atRoot?: true;
  /** What it offers cannot be used by somebody without a document on the internet. */
  readonly withoutLogin?: true;
};

const WELL_KNOWN = '/.well-known/';

/** Servers of which nothing bad may be said. */
export const UNUSUAL: readonly Unusual[] = [
  { name: 'endpoint and issuer without a path', atRoot: true },
  {
    name: 'answers as a stream of one event',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        if (request.method !== 'POST' || answer.status !== 200) return answer;
        return {
          ...withHeaders(answer, { 'content-type': 'text/event-stream' }),
          body: `event: message\ndata: ${answer.body}\n\n`,
        };
      },
    }),
  },
  {
    name: 'sessions, without which nothing but initialize is answered',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        if (request.method !== 'POST' || answer.status !== 200) return answer;
        if (parseObject(request.body)?.['method'] === 'initialize')
          return withHeaders(answer, { 'mcp-session-id': 'session-1' });
        const known = request.headers['mcp-session-id'] === 'session-1';
        return known ? answer : json(400, { error: 'Mcp-Session-Id is missing' });
      },
    }),
  },
  {
    name: 'only revision 2026-07-28',
    change: () => ({
      resourceFront: async (request, next) => {
        const answer = await next();
        const { id, method } = parseObject(request.body) ?? {};
        return request.method === 'POST' && answer.status === 200 && method === 'initialize'
          ? json(400, {
              jsonrpc: '2.0',
              id,
              error: {
                code: -32022,
                message: 'Unsupported protocol version',
                data: { supported: ['2026-07-28'], requested: '2025-11-25' },
              },
            })
          : answer;
      },
    }),
  },
  {
    name: 'GET and DELETE are 405 for everybody',
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' && ['GET', 'DELETE'].includes(request.method)
          ? empty(405, { allow: 'POST, OPTIONS' })
          : next(),
    }),
  },
  {
    name: 'DPoP is offered beside Bearer',
    change: challenge((good) => `DPoP algs="ES256 PS256", ${good}`),
  },
  {
    name: 'a challenge with spaces, a realm with a comma in it and a scheme in lower case',
    change: challenge((good) =>
      good.replace('Bearer ', 'bearer realm="To-dos, \\"beta\\"" , ').replaceAll('="', ' = "'),
    ),
  },
  {
    name: 'refusals without a body',
    change: ({ parts }) => ({
      refuse: (refusal) => ({ ...parts.refuse(refusal), body: '' }),
    }),
  },
  {
    name: 'unknown addresses are pages with 404',
    change: () => ({
      resourceFront: async (_request, next) => {
        const answer = await next();
        return answer.status === 404 ? html(404, 'Not found') : answer;
      },
      authorizationFront: async (_request, next) => {
        const answer = await next();
        return answer.status === 404 ? html(404, 'Not found') : answer;
      },
    }),
  },
  {
    name: 'no scopes at all',
    change: ({ parts, place, keys }) => ({
      ...resourceMembers(() => ({ scopes_supported: undefined }))({ parts, place, keys }),
      ...serverMembers(() => ({ scopes_supported: undefined }))({ parts, place, keys }),
      ...challenge((good) => good.replace('scope="todo:read", ', ''))({ parts, place, keys }),
      mayCall: () => true,
    }),
    withoutLogin: true,
  },
  {
    name: 'further members in the metadata',
    change: resourceMembers(() => ({
      resource_documentation: 'https://docs.example.test/',
      'resource_name#de': 'Aufgaben',
      tls_client_certificate_bound_access_tokens: false,
      dpop_bound_access_tokens_required: false,
      bearer_methods_supported: undefined,
    })),
  },
  {
    name: 'metadata of the authorization server at the OAuth form only',
    change: () => ({
      authorizationFront: async (request, next) =>
        request.path.includes('openid-configuration') ? json(404, {}) : next(),
    }),
  },
  {
    name: 'metadata of the authorization server at the OpenID form behind the path only',
    change: () => ({
      authorizationFront: async (request, next) =>
        request.path.startsWith(WELL_KNOWN) ? json(404, {}) : next(),
    }),
  },
  {
    name: 'opaque tokens: no key set',
    change: serverMembers(() => ({ jwks_uri: undefined })),
  },
  {
    name: 'keys of other kinds beside the signing key',
    change: ({ keys }) => {
      const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
      const edwards = generateKeyPairSync('ed25519').publicKey;
      return {
        keySet: () => ({
          keys: [
            { ...elliptic.export({ format: 'jwk' }), kid: 'ec-1', alg: 'ES256', use: 'sig' },
            { ...edwards.export({ format: 'jwk' }), kid: 'ed-1' },
            { ...keys.publicJwk, kid: 'enc-1', use: 'enc', alg: 'RSA-OAEP-256' },
            keys.publicJwk,
          ],
        }),
      };
    },
  },
  {
    name: 'clients with secrets and public clients',
    change: serverMembers(() => ({
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'private_key_jwt', 'none'],
    })),
  },
  {
    name: 'client id metadata documents instead of registration',
    change: serverMembers(() => ({
      registration_endpoint: undefined,
      client_id_metadata_document_supported: true,
    })),
    withoutLogin: true,
  },
  {
    name: 'an unknown client is 400 at the token endpoint',
    change: () => ({
      authorizationFront: async (_request, next) => {
        const answer = await next();
        return answer.status === 401 ? { ...answer, status: 400 } : answer;
      },
    }),
  },
  {
    name: 'a token answer with the least that is needed',
    change: () => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        if (!request.path.endsWith('/token') || answer.status !== 200) return answer;
        const { access_token, refresh_token } = parseObject(answer.body) ?? {};
        const body = JSON.stringify({ access_token, refresh_token, token_type: 'bearer' });
        return { ...answer, body };
      },
    }),
  },
];
