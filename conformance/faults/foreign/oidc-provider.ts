import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import type { Ending } from '../good-server.ts';
import { signingKeys } from '../keys.ts';
import { startSdkResourceServer } from './sdk-resource-server.ts';

const SCOPES = ['todo:read', 'todo:delete'];

/** oidc-provider, set up for MCP, as the authorization server of an SDK resource server. */
export async function startOidcProvider(t: Ending): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const { port } = server.address() as AddressInfo; // listening on TCP
  const issuer = `http://127.0.0.1:${port}`;
  const { privateJwk } = await signingKeys();
  const provider = new Provider(issuer, {
    jwks: { keys: [privateJwk] },
    cookies: { keys: ['a key for cookies of this test'] },
    scopes: ['openid', 'offline_access', ...SCOPES],
    responseTypes: ['code'],
    pkce: { required: () => true },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    rotateRefreshToken: true,
    features: {
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          audience: resource,
          scope: SCOPES.join(' '),
          accessTokenFormat: 'jwt',
        }),
      },
    },
  });
  server.on('request', provider.callback());
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  return await startSdkResourceServer(t, await response.json(), SCOPES);
}
