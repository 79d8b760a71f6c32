import assert from 'node:assert/strict';
import {
  authorizeUrl,
  cookieBrowser,
  pkce,
  register,
  type TestGatewarden,
} from '@gatewarden/server/testing';

const CALLBACK = 'http://127.0.0.1:7777/cb';

/** A sign-in that waits for the application to say who it is. */
export type OwnLogin = { readonly connectionId: string; readonly loginRequestId: string };

/**
 * An MCP server whose people sign in at the application's own page, and a browser that was sent there. All of it over REST:
 * the vendor's SDK has no methods for it.
 *
 * @param token of the environment client
 */
export async function beginOwnLogin(gatewarden: TestGatewarden, token: string): Promise<OwnLogin> {
  const server = await gatewarden.mcpServer({ serverUrl: 'https://own-login.example.com/mcp' });
  const send = async (method: string, path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${gatewarden.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const said: unknown = await answer.json();
    assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(said)}`);
    return said;
  };
  // The contract's shape of this answer (EnsureResourceConnectionResponse).
  const ensured = (await send('POST', `/resources/${server.id}/connections`, {})) as {
    connection: { id: string };
  };
  const connectionId = ensured.connection.id;
  await send('PATCH', `/connections/${connectionId}`, {
    provider: 'CUSTOM',
    type: 'TRUSTED_IDP',
    oauth_config: { authorize_uri: 'https://app.example/login' },
  });
  await send('PATCH', `/connections/${connectionId}:enable`, {});
  const { body } = await register(gatewarden.url, server.id, {
    client_name: 'Test',
    redirect_uris: [CALLBACK],
    token_endpoint_auth_method: 'none',
  });
  const url = authorizeUrl(`${gatewarden.url}/resources/${server.id}`, {
    client_id: String(body['client_id']),
    redirect_uri: CALLBACK,
    code_challenge: pkce().challenge,
    scope: 'todo:read',
    state: 'st',
  });
  const away = await cookieBrowser(gatewarden.url).open(url);
  assert.ok('location' in away, JSON.stringify(away));
  const loginRequestId = away.params.get('login_request_id') ?? assert.fail(away.location);
  return { connectionId, loginRequestId };
}
