import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { forgetAsserted } from '../../clients/clients.store.ts';
import { sql } from '../../storage/db.ts';
import {
  cleanUpAtTheEnd,
  type Fields,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  refresh,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

// AS-76: a grant that began with one method is never continued with a weaker one, whatever kind of client it is and whatever its
// registration says by then.

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let key: Awaited<ReturnType<typeof generateKeyPair>>;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  key = await generateKeyPair('ES256', { extractable: true });
});

type Method = 'none' | 'secret' | 'assertion';
const METHODS: readonly Method[] = ['none', 'secret', 'assertion'];

type Shape = {
  readonly name: string;
  readonly members: Omit<Parameters<typeof makeClient>[1], 'mcpServerId'>;
  /** What it may use at first. */
  readonly can: readonly Method[];
  readonly atE?: boolean;
};

const SHAPES: readonly Shape[] = [
  { name: 'self-registered, public', members: {}, can: ['none'] },
  {
    name: 'self-registered, secret',
    members: { tokenEndpointAuthMethod: 'client_secret_basic' },
    can: ['secret'],
  },
  {
    name: 'self-registered, secret, with keys',
    members: { tokenEndpointAuthMethod: 'client_secret_post', jwks: { keys: [] } },
    can: ['secret', 'assertion'],
  },
  {
    name: 'self-registered, keys',
    members: { tokenEndpointAuthMethod: 'private_key_jwt', jwks: { keys: [] } },
    can: ['assertion'],
  },
  {
    name: 'assertion optional, as a document may say',
    members: {
      tokenEndpointAuthMethod: 'private_key_jwt',
      assertionOptional: true,
      jwks: { keys: [] },
    },
    can: ['none', 'assertion'],
  },
  {
    name: 'of an administrator, secret',
    members: { registration: 'admin', tokenEndpointAuthMethod: 'client_secret_post' },
    can: ['secret'],
  },
  {
    name: 'application, secret',
    members: {
      registration: 'admin',
      kind: 'application',
      tokenEndpointAuthMethod: 'client_secret_post',
    },
    can: ['secret'],
    atE: true,
  },
];

async function make(shape: Shape): Promise<TestClient> {
  const jwk = { ...(await exportJWK(key.publicKey)), alg: 'ES256' };
  return await makeClient(site, {
    ...shape.members,
    ...(shape.members.jwks ? { jwks: { keys: [jwk] } } : {}),
    mcpServerId: shape.atE ? undefined : server.id,
  });
}

/** What a request says about its client. Each call makes a new assertion. */
async function proof(client: TestClient, method: Method): Promise<Fields> {
  if (method === 'none') return {};
  if (method === 'secret') return { client_secret: client.secret };
  const now = Math.floor(site.ctx.now().getTime() / 1000);
  return {
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await new SignJWT({
      iss: client.id,
      sub: client.id,
      aud: site.E,
      exp: now + 60,
      jti: randomUUID(),
    })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(key.privateKey),
  };
}

/** Whoever the client is by now: as if every method were open to it. */
async function loosen(client: TestClient, method: Method): Promise<void> {
  const registered = { none: 'none', secret: 'client_secret_post', assertion: 'private_key_jwt' };
  await forgetAsserted(site.ctx.db, { environmentId: site.ctx.environmentId, id: client.id });
  await site.ctx.db.rows(
    sql`update clients set token_endpoint_auth_method = ${registered[method]}, row_version = row_version + 1 where id = ${client.id}`,
  );
}

for (const shape of SHAPES) {
  for (const began of shape.can) {
    test(`${shape.name}: what began with ${began} is refreshed and revoked with that or more, never with less (AS-76, downgrade)`, async () => {
      const client = await make(shape);
      const issuer = shape.atE ? site.E : server.issuer;
      const scopes = shape.atE ? ['openid', 'offline_access'] : ['todo:read'];
      const code = await makeCode(site, {
        server: shape.atE ? undefined : server,
        client,
        scopes,
      });
      const made = await redeem(issuer, code, client, await proof(client, began));
      assert.equal(made.status, 200, made.text);
      let token = made.body['refresh_token'];
      const stored = METHODS.indexOf(began);
      for (const method of METHODS.slice(0, stored)) {
        // As registered, and after the registration was changed to allow it.
        for (const allowed of [false, true]) {
          if (allowed) await loosen(client, method);
          const weak = async () => await proof(client, method);
          const refused = await refresh(issuer, token, client, await weak());
          const what = `${method}, ${allowed ? 'allowed' : 'as registered'}: ${refused.text}`;
          assert.deepEqual([refused.status, refused.body['error']], [401, 'invalid_client'], what);
          for (const stolen of [token, made.body['access_token']]) {
            const revoked = await post(`${issuer}/oauth/revoke`, {
              token: String(stolen),
              client_id: client.id,
              ...(await weak()),
            });
            // An application's access token names no grant: there only the registration decides.
            if (shape.atE && allowed && stolen !== token) continue;
            assert.equal(revoked.status, 401, `revocation with ${what}`);
          }
        }
      }
      await loosen(client, began);
      const same = await refresh(issuer, token, client, await proof(client, began));
      assert.equal(same.status, 200, same.text);
      token = same.body['refresh_token'];
      if (began !== 'assertion' && shape.members.jwks) {
        const stronger = await refresh(issuer, token, client, await proof(client, 'assertion'));
        assert.equal(stronger.status, 200, stronger.text);
        // It has asserted once: from now on nothing less counts, for this grant neither.
        const again = await refresh(
          issuer,
          stronger.body['refresh_token'],
          client,
          await proof(client, began),
        );
        assert.deepEqual([again.status, again.body['error']], [401, 'invalid_client']);
      }
    });
  }
}
