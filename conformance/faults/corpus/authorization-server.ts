import { type Fault, PUBLIC, resourceMembers, serverMembers } from '../fault.ts';
import type { ReferenceServer } from '../good-server.ts';
import { empty, html, json } from '../http.ts';
import { list, resourceDocument, serverDocument, serverMetadata } from '../probe.ts';

const step = 'authorization-server';

async function badTokenRequest(at: ReferenceServer): Promise<Response> {
  return await at.fetch(`${at.issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', code: 'x', client_id: 'nobody' }),
  });
}

/** Faults of the authorization server that its documents and its answers to strangers show. */
export const AUTHORIZATION_SERVER: readonly Fault[] = [
  {
    id: 'as-unreachable',
    step,
    wrong: 'The authorization server that is named does not exist any more.',
    names: PUBLIC,
    change: resourceMembers(() => ({ authorization_servers: ['https://gone.example.test'] })),
    visible: async (at) =>
      String((await resourceDocument(at))['authorization_servers']) === 'https://gone.example.test',
  },
  {
    id: 'as-metadata-missing',
    step,
    wrong: 'None of the forms of the metadata is served, and clients invent endpoints.',
    seen: 'microsoft/vscode#261120',
    change: () => ({
      authorizationFront: async (request, next) =>
        request.path.includes('/.well-known/') ? json(404, { message: 'Not found' }) : next(),
    }),
    visible: async (at) => (await serverMetadata(at)).status === 404,
  },
  {
    id: 'as-metadata-not-json',
    step,
    wrong: 'The sign-in page is what every unknown path shows, with status 200.',
    change: () => ({
      authorizationFront: async (request, next) =>
        request.path.includes('/.well-known/') ? html(200, 'Sign in') : next(),
    }),
    visible: async (at) =>
      (await serverMetadata(at)).headers.get('content-type')?.startsWith('text/html') === true,
  },
  {
    id: 'as-issuer-mismatch',
    step,
    wrong: 'The document names an issuer other than the one it was asked for.',
    seen: 'upstash/context7#2723',
    change: serverMembers(({ issuerOrigin }) => ({ issuer: issuerOrigin })),
    visible: async (at) => (await serverDocument(at))['issuer'] !== at.issuer,
  },
  {
    id: 'as-issuer-mismatch',
    name: 'as-issuer-trailing-slash',
    step,
    wrong: 'The issuer in the document ends with a slash that the address has not.',
    seen: 'modelcontextprotocol/rust-sdk#1144',
    change: serverMembers(({ issuer }) => ({ issuer: `${issuer}/` })),
    visible: async (at) => (await serverDocument(at))['issuer'] !== at.issuer,
  },
  {
    id: 'as-endpoint-missing',
    step,
    wrong: 'The metadata names no token endpoint.',
    change: serverMembers(() => ({ token_endpoint: undefined })),
    visible: async (at) => !('token_endpoint' in (await serverDocument(at))),
  },
  {
    id: 'as-endpoint-insecure',
    step,
    wrong: 'The token endpoint has an http address, built behind a proxy that ends TLS.',
    seen: 'mesh/mesh-mcp#19',
    names: PUBLIC,
    change: serverMembers(({ issuer }) => ({
      token_endpoint: `${issuer.replace('https:', 'http:')}/token`,
    })),
    visible: async (at) => String((await serverDocument(at))['token_endpoint']).startsWith('http:'),
  },
  {
    id: 'as-pkce-missing',
    step,
    wrong: 'PKCE works and is not advertised, so that clients must refuse.',
    seen: 'anthropics/claude-ai-mcp#851',
    change: serverMembers(() => ({ code_challenge_methods_supported: undefined })),
    visible: async (at) => !('code_challenge_methods_supported' in (await serverDocument(at))),
  },
  {
    id: 'as-pkce-plain-only',
    step,
    wrong: 'Of the methods of PKCE only `plain` is offered, which protects nothing.',
    change: serverMembers(() => ({ code_challenge_methods_supported: ['plain'] })),
    visible: async (at) =>
      !list(await serverDocument(at), 'code_challenge_methods_supported').includes('S256'),
  },
  {
    id: 'as-code-flow-missing',
    step,
    wrong: 'The authorization server is one for machines and offers no code flow.',
    change: serverMembers(() => ({
      response_types_supported: ['none'],
      grant_types_supported: ['client_credentials', 'refresh_token'],
    })),
    visible: async (at) =>
      !list(await serverDocument(at), 'response_types_supported').includes('code'),
  },
  {
    id: 'as-implicit-flow',
    step,
    wrong: 'Tokens are still handed out in the redirect, as OAuth 2.1 forbids.',
    change: serverMembers(() => ({
      response_types_supported: ['code', 'token'],
      grant_types_supported: ['authorization_code', 'implicit', 'refresh_token'],
    })),
    visible: async (at) =>
      list(await serverDocument(at), 'response_types_supported').includes('token'),
  },
  {
    id: 'as-iss-parameter-missing',
    step,
    wrong: 'The authorization response does not say who sent it, which allows mix-up attacks.',
    seen: 'open-metadata/OpenMetadata#30673',
    change: ({ parts, place, keys }) => ({
      ...serverMembers(() => ({ authorization_response_iss_parameter_supported: undefined }))({
        parts,
        place,
        keys,
      }),
      issParameter: () => undefined,
    }),
    visible: async (at) =>
      (await serverDocument(at))['authorization_response_iss_parameter_supported'] !== true,
  },
  {
    id: 'as-refresh-missing',
    step,
    wrong: 'There are no refresh tokens; people sign in again each time a token ends.',
    seen: 'anthropics/claude-ai-mcp#840',
    change: serverMembers(() => ({ grant_types_supported: ['authorization_code'] })),
    visible: async (at) =>
      !list(await serverDocument(at), 'grant_types_supported').includes('refresh_token'),
  },
  {
    id: 'as-token-error-not-oauth',
    step,
    wrong: "Errors of the token endpoint are the framework's own, without `error`.",
    seen: 'laravel/mcp#173',
    change: ({ place }) => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        const failed = request.path === new URL(`${place.issuer}/token`).pathname;
        return failed && answer.status >= 400
          ? json(
              answer.status,
              { message: 'The given data was invalid.', statusCode: answer.status },
              { 'access-control-allow-origin': '*' },
            )
          : answer;
      },
    }),
    visible: async (at) => Object(await (await badTokenRequest(at)).json()).error === undefined,
  },
  {
    id: 'as-token-error-not-oauth',
    name: 'as-token-error-html',
    step,
    wrong: 'A router in front of the token endpoint answers errors with its own page.',
    seen: 'webflow/mcp-server#107',
    change: ({ place }) => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        const failed = request.path === new URL(`${place.issuer}/token`).pathname;
        if (!failed || answer.status < 400) return answer;
        const page = html(answer.status, 'Bad Request');
        return { ...page, headers: { ...page.headers, 'access-control-allow-origin': '*' } };
      },
    }),
    visible: async (at) => (await (await badTokenRequest(at)).text()).startsWith('<'),
  },
  {
    id: 'as-open-redirect',
    step,
    wrong: 'Errors are sent to the redirect URI before anybody looked whose it is.',
    change: ({ parts }) => ({
      unknownClient: (redirectUri) =>
        redirectUri === undefined || !URL.canParse(redirectUri)
          ? parts.unknownClient(redirectUri)
          : empty(302, { location: `${redirectUri}?error=unauthorized_client` }),
    }),
    visible: async (at) => {
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: 'nobody',
        redirect_uri: 'https://attacker.example.test/',
      });
      const response = await at.fetch(`${at.issuer}/authorize?${query}`, { redirect: 'manual' });
      return response.status === 302;
    },
  },
  {
    id: 'as-public-clients-refused',
    step,
    wrong: 'Every client needs a secret, which applications on a desk cannot keep.',
    change: serverMembers(() => ({
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    })),
    visible: async (at) =>
      !list(await serverDocument(at), 'token_endpoint_auth_methods_supported').includes('none'),
  },
  {
    id: 'as-scopes-differ',
    step,
    wrong: 'The MCP server asks for scopes that the authorization server does not list.',
    change: serverMembers(() => ({ scopes_supported: ['openid', 'profile', 'offline_access'] })),
    visible: async (at) =>
      !list(await serverDocument(at), 'scopes_supported').includes('todo:read'),
  },
];
