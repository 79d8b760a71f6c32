import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { AuthService } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ConnectionService } from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { asLanding } from '../src/testing/cookie-browser.ts';
import {
  authorizeUrl,
  type CookieBrowser,
  cookieBrowser,
  pkce,
  register,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { type Api, managementApi, member, ok, type Step } from './management-api.ts';

export const redirectUri = 'http://127.0.0.1:7777/cb';
const LOGIN_PAGE = 'https://app.example/login?tenant=1';

export type Site = {
  gatewarden: TestGatewarden;
  api: Api;
  resourceId: string;
  connectionId: string;
  issuer: string;
  clientId: string;
};

export const call = (method: Step['method'], input: JsonObject, rest: Step['rest']): Step => ({
  method,
  input,
  rest,
});

/** An MCP server whose people sign in with the application's own page. */
export async function ownSite(t: TestContext, gatewarden: TestGatewarden): Promise<Site> {
  const api = await managementApi(t, gatewarden);
  const { id } = await gatewarden.mcpServer({
    serverUrl: `https://mcp-${Math.random()}.example.com/mcp`,
  });
  const ensured = ok(
    await api(
      call(ClientService.method.ensureResourceConnection, { resource_id: id }, [
        'POST',
        `/resources/${id}/connections`,
        {},
      ]),
    ),
  );
  const connectionId = String(member(ensured, 'connection')['id']);
  await configure(api, connectionId);
  const { body } = await register(gatewarden.url, id, {
    client_name: 'Test',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  });
  return {
    gatewarden,
    api,
    resourceId: id,
    connectionId,
    issuer: `${gatewarden.url}/resources/${id}`,
    clientId: String(body['client_id']),
  };
}

async function configure(api: Api, id: string): Promise<void> {
  const connection: JsonObject = {
    provider: 'CUSTOM',
    type: 'TRUSTED_IDP',
    oauth_config: { authorize_uri: LOGIN_PAGE },
  };
  ok(
    await api(
      call(
        ConnectionService.method.updateEnvironmentConnection,
        { connection_id: id, connection },
        ['PATCH', `/connections/${id}`, connection],
      ),
    ),
  );
  ok(
    await api(
      call(ConnectionService.method.enableEnvironmentConnection, { connection_id: id }, [
        'PATCH',
        `/connections/${id}:enable`,
      ]),
    ),
  );
}

export const report = (connectionId: string, loginId: string, user: JsonObject): Step =>
  call(
    AuthService.method.updateLoginUserDetails,
    { connection_id: connectionId, login_request_id: loginId, user },
    ['POST', `/connections/${connectionId}/auth-requests/${loginId}/user`, user],
  );

/** A browser that was sent to the application's page, and what it was sent with. */
export async function begun({ gatewarden, issuer, clientId }: Site, browser?: CookieBrowser) {
  const own = browser ?? cookieBrowser(gatewarden.url);
  const { verifier, challenge } = pkce();
  const url = authorizeUrl(issuer, {
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    scope: 'openid offline_access todo:read',
    state: 'client-state',
  });
  const away = asLanding(await own.open(url));
  return {
    browser: own,
    verifier,
    url,
    location: away.location,
    loginId: away.params.get('login_request_id') ?? '',
    state: away.params.get('state') ?? '',
  };
}

export const callback = ({ gatewarden, connectionId }: Site, state: string): string =>
  `${gatewarden.url}/sso/v1/connections/${connectionId}/partner:callback?state=${state}`;

export async function exchange(site: Site, code: string, verifier: string) {
  const answer = await token(site.issuer, {
    grant_type: 'authorization_code',
    client_id: site.clientId,
    redirect_uri: redirectUri,
    code,
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

export const person = (more: JsonObject = {}): JsonObject => ({
  sub: 'customer-42',
  email: 'ada@customer.example',
  given_name: 'Ada',
  family_name: 'Lovelace',
  ...more,
});
