// A process with oidc-provider in it, set up to do the same work as Gatewarden: JWT access tokens for one resource, rotated
// refresh tokens, RS256 with 2048 bits. Its parent asks for codes over IPC, which no endpoint would hand out.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { SAME } from './target.ts';

type Stored = {
  save(): Promise<string>;
  addResourceScope(resource: string, scope: string): void;
};
type Provider = {
  callback(): (request: unknown, response: unknown) => void;
  readonly Client: { find(id: string): Promise<object | undefined> };
  readonly Grant: new (fields: object) => Stored;
  readonly AuthorizationCode: new (fields: object) => Stored;
};
type Peer = { readonly Provider: new (issuer: string, configuration: object) => Provider };
type Memory = { readonly default: new (model: string, store: Map<string, unknown>) => object };

const MACHINE = { id: 'bench-machine', secret: 'bench-secret-bench-secret-bench-secret' };
const PUBLIC = 'bench-public';
const HOUR = 3600;

const scope = SAME.scopes.join(' ');

function configuration(adapter: object): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    adapter,
    jwks: {
      keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'bench' }],
    },
    clients: [
      {
        client_id: MACHINE.id,
        client_secret: MACHINE.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        scope,
      },
      {
        client_id: PUBLIC,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [SAME.redirectUri],
        response_types: ['code'],
        scope,
      },
    ],
    scopes: [...SAME.scopes, 'offline_access'],
    findAccount: (_ctx: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    ttl: {
      AccessToken: HOUR,
      ClientCredentials: HOUR,
      AuthorizationCode: HOUR,
      RefreshToken: 24 * HOUR,
      Grant: 24 * HOUR,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true, issueRegistrationAccessToken: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => SAME.resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope,
          accessTokenTTL: HOUR,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  };
}

async function makeCode(provider: Provider, client: object, n: number): Promise<string> {
  const accountId = `user-${n}`;
  const grant = new provider.Grant({ accountId, clientId: PUBLIC });
  grant.addResourceScope(SAME.resource, scope);
  const now = Math.floor(Date.now() / 1000);
  const code = new provider.AuthorizationCode({
    accountId,
    client,
    grantId: await grant.save(),
    authTime: now,
    redirectUri: SAME.redirectUri,
    resource: SAME.resource,
    scope,
    codeChallenge: createHash('sha256').update(SAME.verifier).digest('base64url'),
    codeChallengeMethod: 'S256',
  });
  return await code.save();
}

async function main(): Promise<void> {
  const require = createRequire(new URL('../conformance/package.json', import.meta.url));
  const load = async (name: string): Promise<unknown> =>
    await import(pathToFileURL(require.resolve(name)).href);
  // The package has no types; what is used of it is written down above.
  const { Provider } = (await load('oidc-provider')) as Peer;
  // Its own memory adapter, but on a plain Map: what it stores in by default has room for 1,000 entries and would evict codes
  // before they are redeemed.
  const memory = (await load('oidc-provider/lib/adapters/memory_adapter.js')) as Memory;
  const store = new Map<string, unknown>();
  const adapter = (model: string): object => new memory.default(model, store);

  const http = createServer();
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  const { port } = http.address() as AddressInfo; // it listens on a port
  const provider = new Provider(`http://localhost:${port}`, configuration(adapter));
  http.on('request', provider.callback());
  const client = await provider.Client.find(PUBLIC);
  if (!client) throw new Error('the peer does not know its own client');
  process.on('message', async (count: number) => {
    const codes: string[] = [];
    for (let n = 0; n < count; n += 1) codes.push(await makeCode(provider, client, n));
    process.send?.({ machine: MACHINE, clientId: PUBLIC, codes });
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ port });
}

await main();
