import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { edgeOf } from '../http/edge.ts';
import { createHttp } from '../http/fastify.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import { silentLog } from '../runtime/log.ts';
import { mountClientManagement } from './client-management.routes.ts';
import { mountLogos } from './logos.routes.ts';
import { mountRegistration } from './registration.routes.ts';
import type { TestClients } from './test-clients.ts';

export type JsonAnswer = { status: number; headers: Headers; body: Record<string, unknown> };
export type RegistrationSite = {
  origin: string;
  /** As a caller with another address: `X-Forwarded-For` is believed here. */
  call(
    method: string,
    path: string,
    options?: {
      body?: unknown;
      type?: string | null;
      headers?: Record<string, string>;
      from?: string;
    },
  ): Promise<JsonAnswer>;
  register(mcpServerId: string, metadata: unknown, from?: string): Promise<JsonAnswer>;
};

/** The routes of this folder behind the real HTTP edge. */
export async function registrationSite(
  t: TestContext,
  clients: TestClients,
): Promise<RegistrationSite> {
  const { ctx } = clients;
  const http = createHttp({
    environmentOf: () => ({ environmentId: ctx.environmentId, issuer: ctx.issuer }),
    random: randomBytes,
    log: silentLog,
    trustedProxies: ['127.0.0.1'],
    explain: (error) =>
      error instanceof OAuthError
        ? {
            status: error.status,
            error: error.code,
            description: error.description,
            headers: error.headers,
          }
        : undefined,
    server: { closeTimeout: 300 },
  });
  for (const mount of [mountRegistration, mountClientManagement, mountLogos])
    mount(ctx, http, (request) => ({ ...ctx, ...edgeOf(request) }));
  await http.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => http.close());
  // A listening TCP server has an AddressInfo.
  const origin = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}`;
  const call: RegistrationSite['call'] = async (
    method,
    path,
    { body, type = 'application/json', headers = {}, from = '203.0.113.7' } = {},
  ) => {
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: {
        'x-forwarded-for': from,
        ...(type === null || body === undefined ? {} : { 'content-type': type }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : {
            body:
              typeof body === 'string'
                ? Buffer.from(body)
                : body instanceof Uint8Array
                  ? new Uint8Array(body)
                  : JSON.stringify(body),
          }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? {} : JSON.parse(text),
    };
  };
  return {
    origin,
    call,
    register: (id, metadata, from) =>
      call('POST', `/api/v1/resources/${id}/clients:register`, {
        body: metadata,
        ...(from === undefined ? {} : { from }),
      }),
  };
}

/** Registrations as products were seen to send them. */
export const SHAPES = {
  claude: {
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_post',
    scope: 'claudeai',
  },
  claudePublic: {
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  chatgpt: {
    client_name: 'ChatGPT',
    redirect_uris: [
      'https://chatgpt.com/connector/oauth/abc',
      'https://chatgpt.com/connector_platform_oauth_redirect',
    ],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    scope: '',
  },
  cursor: {
    client_name: 'Cursor',
    redirect_uris: [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'http://localhost:8787/callback',
    ],
    application_type: 'web',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  },
  vscode: {
    client_name: 'Visual Studio Code',
    redirect_uris: [
      'http://127.0.0.1/',
      'http://127.0.0.1:33418/',
      'https://vscode.dev/redirect',
      'https://insiders.vscode.dev/redirect',
    ],
    grant_types: [
      'authorization_code',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
    ],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
  inspector: {
    client_name: 'MCP Inspector',
    redirect_uris: [
      'http://localhost:6274/oauth/callback',
      'http://localhost:6274/oauth/callback/debug',
    ],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    client_uri: 'https://github.com/modelcontextprotocol/inspector',
  },
  mcpRemote: {
    client_name: 'mcp-remote',
    redirect_uris: ['http://localhost:13000/oauth/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    scope: 'openid profile email',
    software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
    software_version: '0.1.15',
  },
  copilotStudio: {
    client_name: 'Copilot Studio',
    redirect_uris: ['https://global.consent.azure-apim.net/redirect/connector-1'],
  },
  lmStudio: { client_name: 'LM Studio', redirect_uris: ['http://localhost:1234/callback'] },
} as const;
