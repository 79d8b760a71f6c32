import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  createClient,
  pkce,
  register,
  startTestGatewarden,
  token,
} from '@gatewarden/server/testing';
import { Gatewarden } from '../src/index.ts';

const CALLBACK = 'https://app.example.com/callback';

test("the server's access tokens pass and its ID tokens with audience = client id do not (RS-28, AS-145)", async (t) => {
  const gatewarden = await startTestGatewarden(t);
  const sdk = new Gatewarden(gatewarden.url, 'skc_1', 'secret', { now: gatewarden.clock.now });
  const server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const ofServer = `${gatewarden.url}/resources/${server.id}`;
  const registered = await register(gatewarden.url, server.id, {
    client_name: 'Editor',
    token_endpoint_auth_method: 'none',
    redirect_uris: [CALLBACK],
  });
  const created = await createClient(gatewarden.context(), {
    kind: 'application',
    name: 'Shop',
    redirectUris: [CALLBACK],
    tokenEndpointAuthMethod: 'client_secret_post',
    grantTypes: ['authorization_code', 'refresh_token'],
  });
  assert.ok(created.kind === 'created' && created.secret, JSON.stringify(created));
  const flows = [
    { at: ofServer, client_id: String(registered.body['client_id']), scope: 'openid todo:read' },
    {
      at: gatewarden.url,
      client_id: created.client.id,
      client_secret: created.secret.plain,
      scope: 'openid email',
    },
  ];
  for (const { at, client_id, client_secret, scope } of flows) {
    const { verifier, challenge } = pkce();
    const url = authorizeUrl(at, {
      client_id,
      redirect_uri: CALLBACK,
      code_challenge: challenge,
      state: 'st',
      scope,
    });
    const landing = await authorizeWith(
      cookieBrowser(gatewarden.url),
      url,
      'ann+sktest@example.com',
    );
    const { status, body } = await token(at, {
      grant_type: 'authorization_code',
      client_id,
      client_secret,
      code: landing.params.get('code') ?? '',
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    });
    assert.equal(status, 200, JSON.stringify(body));
    const accessToken = String(body['access_token']);
    const idToken = String(body['id_token']);
    const claims = await sdk.validateToken(accessToken);
    assert.equal(claims.client_id, client_id);
    for (const issuer of [gatewarden.url, at])
      for (const audience of [undefined, [client_id]])
        await assert.rejects(
          sdk.validateToken(idToken, { issuer, ...(audience ? { audience } : {}) }),
          ({ code }: { code: string }) => code === 'type' || (issuer !== at && code === 'issuer'),
        );
  }
});
