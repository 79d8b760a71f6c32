import assert from 'node:assert/strict';
import { createClient } from '../clients/manage-clients.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { startTestGatewarden, type TestGatewarden, type TestOptions } from '../testing.ts';
import { asPage, type CookieBrowser, type Landing, type Page } from './cookie-browser.ts';
import type { Cleanup } from './databases.ts';
import {
  authorizeUrl,
  pkce,
  register,
  signIn,
  type TokenAnswer,
  token,
  type Verifier,
} from './oauth-client.ts';

/** Redirect URI of the site's self-registered local client; any port of it comes back. */
export const LOOPBACK = 'http://127.0.0.1:7777/cb';
/** Redirect URI of a self-registered client that nobody vouches for. */
export const HTTPS = 'https://client.example/cb';

/** A server with one MCP server and a self-registered loopback client: where most flow tests begin. */
export type McpSite = {
  readonly gatewarden: TestGatewarden;
  readonly server: McpServer;
  /** R. */
  readonly issuer: string;
  /** Id of the loopback client. */
  readonly loopback: string;
  readonly verifier: Verifier;
  /** Registers a public client with these members; returns its id. */
  clientWith(metadata: Readonly<Record<string, unknown>>, resourceId?: string): Promise<string>;
  /** A client that an administrator made: trusted, and its consents can be remembered. */
  knownClient(redirectUris: readonly string[], mcpServerId?: string): Promise<string>;
  /** A correct request of the loopback client, with members replaced or (undefined) left out. */
  url(params?: Readonly<Record<string, string | undefined>>, at?: string): string;
  /** Signs in where that is asked for, and stands on the consent page. */
  consentOf(browser: CookieBrowser, target: string, email: string): Promise<Page>;
  /** Redeems the code of a landing; by default as the loopback client at R. */
  redeem(
    landing: Landing,
    params?: Readonly<Record<string, string | undefined>>,
    at?: string,
  ): Promise<TokenAnswer>;
};

export async function startMcpSite(t: Cleanup, options: TestOptions = {}): Promise<McpSite> {
  const gatewarden = await startTestGatewarden(t, options);
  const server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  const verifier = pkce();
  const clientWith: McpSite['clientWith'] = async (metadata, resourceId = server.id) => {
    const { status, body } = await register(gatewarden.url, resourceId, {
      client_name: 'Test client',
      token_endpoint_auth_method: 'none',
      ...metadata,
    });
    assert.equal(status, 201, JSON.stringify(body));
    return String(body['client_id']);
  };
  const loopback = await clientWith({ redirect_uris: [LOOPBACK] });
  return {
    gatewarden,
    server,
    issuer,
    loopback,
    verifier,
    clientWith,
    async knownClient(redirectUris, mcpServerId = server.id) {
      const created = await createClient(gatewarden.context(), {
        kind: 'mcp',
        mcpServerId,
        name: 'Known client',
        redirectUris: [...redirectUris],
        tokenEndpointAuthMethod: 'none',
      });
      assert.ok(created.kind === 'created', JSON.stringify(created));
      return created.client.id;
    },
    url: (params = {}, at = issuer) =>
      authorizeUrl(at, {
        client_id: loopback,
        redirect_uri: LOOPBACK,
        code_challenge: verifier.challenge,
        state: 'st',
        scope: 'todo:read',
        ...params,
      }),
    async consentOf(browser, target, email) {
      const first = asPage(await browser.open(target));
      return asPage(first.step === 'identify' ? await signIn(browser, first, email) : first);
    },
    redeem: (landing, params = {}, at = issuer) =>
      token(at, {
        grant_type: 'authorization_code',
        client_id: loopback,
        code: landing.params.get('code') ?? '',
        redirect_uri: LOOPBACK,
        code_verifier: verifier.verifier,
        ...params,
      }),
  };
}

/** Waits until something observed by asking again is so: changes reach other processes' caches by notification. */
export async function eventually<T>(
  ask: () => Promise<T>,
  isSo: (answer: T) => boolean,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask();
    if (isSo(answer) || tries === 100) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
