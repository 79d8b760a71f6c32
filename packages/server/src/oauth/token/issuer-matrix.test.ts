import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { saveDocument } from '../../clients/client-documents.store.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  eventsOf,
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

// AS-7: what one issuer gave out is nothing at another one. A client that is known at all of them, as a metadata document is,
// carries each artefact from where it belongs to everywhere else.

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
type Server = Awaited<ReturnType<typeof makeServer>>;
let servers: readonly Server[];
let everywhere: TestClient;

before(async () => {
  site = await startSite(atTheEnd);
  servers = [await makeServer(site), await makeServer(site)];
  const { ctx } = site;
  const url = 'https://client.example/document.json';
  await saveDocument(ctx.db, {
    environmentId: ctx.environmentId,
    url,
    host: 'client.example',
    metadata: {
      name: 'Everywhere',
      applicationType: undefined,
      redirectUris: ['https://client.example/callback'],
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      tokenEndpointAuthMethod: 'none',
      assertionOptional: false,
      metadata: {},
      jwks: undefined,
      jwksUri: undefined,
    },
    revocationSecret: ctx.random(32),
    freshUntil: new Date(ctx.now().getTime() + 86_400_000),
    now: ctx.now(),
  });
  everywhere = { id: url, secret: '' };
});

type Home = { name: string; issuer: string; server: Server };
/** R1, R2, and E twice: for either server. */
const homes = (): Home[] => [
  ...servers.map((server, index) => ({ name: `R${index + 1}`, issuer: server.issuer, server })),
  ...servers.map((server, index) => ({ name: `E for R${index + 1}`, issuer: site.E, server })),
];

function refusedAs(answer: Answer, code: string, status: number, what: string): void {
  assert.deepEqual(
    [answer.status, answer.body['error']],
    [status, code],
    `${what}: ${answer.text}`,
  );
}

async function alarms(): Promise<number> {
  const types = ['authorization_code_reuse', 'refresh_token_reuse', 'grant.ended', 'token.revoked'];
  const found = await Promise.all(types.map((type) => eventsOf(site, type)));
  return found.flat().length;
}

test('a code is refused at every issuer but its own, used or not, is not consumed and raises no alarm (AS-7, mix-up)', async () => {
  for (const home of homes()) {
    const code = await makeCode(site, {
      server: home.server,
      client: everywhere,
      issuer: home.issuer,
    });
    const foreign = homes().filter(({ issuer }) => issuer !== home.issuer);
    for (const { issuer, name } of foreign)
      for (let count = 0; count < 6; count += 1)
        refusedAs(
          await redeem(issuer, code, everywhere),
          'invalid_grant',
          400,
          `${home.name} at ${name}`,
        );
    const first = await redeem(home.issuer, code, everywhere);
    assert.equal(first.status, 200, `${home.name}: ${first.text}`);
    site.clock.ahead += 20_000;
    for (const { issuer, name } of foreign)
      refusedAs(
        await redeem(issuer, code, everywhere),
        'invalid_grant',
        400,
        `${home.name} at ${name}`,
      );
    const still = await refresh(home.issuer, first.body['refresh_token'], everywhere);
    assert.equal(still.status, 200, `${home.name}: ${still.text}`);
  }
  assert.equal(await alarms(), 0);
});

test('a refresh token is refused at every issuer but its own, current, retired or long retired, and raises no alarm (AS-7, AS-110, AS-112)', async () => {
  for (const home of homes()) {
    const code = await makeCode(site, {
      server: home.server,
      client: everywhere,
      issuer: home.issuer,
    });
    const first = (await redeem(home.issuer, code, everywhere)).body['refresh_token'];
    const second = (await refresh(home.issuer, first, everywhere)).body['refresh_token'];
    const foreign = homes().filter(({ issuer }) => issuer !== home.issuer);
    for (const ahead of [0, 3_600_000]) {
      site.clock.ahead += ahead;
      for (const { issuer, name } of foreign)
        for (const token of [first, second])
          refusedAs(
            await refresh(issuer, token, everywhere),
            'invalid_grant',
            400,
            `${home.name} at ${name}`,
          );
    }
    const still = await refresh(home.issuer, second, everywhere);
    assert.equal(still.status, 200, `${home.name}: ${still.text}`);
  }
  assert.equal(await alarms(), 0);
});

test('revoking a refresh token at another issuer is 200 and nothing happens; an access token is not spoken of there (AS-7, AS-122, AS-123)', async () => {
  for (const home of homes().slice(0, 2)) {
    const code = await makeCode(site, { server: home.server, client: everywhere });
    const { body } = await redeem(home.issuer, code, everywhere);
    for (const { issuer } of homes().filter((other) => other.issuer !== home.issuer)) {
      const revoked = await post(`${issuer}/oauth/revoke`, {
        token: String(body['refresh_token']),
        client_id: everywhere.id,
      });
      assert.deepEqual([revoked.status, revoked.text], [200, '']);
    }
    const other = servers.find((server) => server.id !== home.server.id);
    const access = { token: String(body['access_token']), client_id: everywhere.id };
    assert.equal((await post(`${other?.issuer}/oauth/revoke`, access)).status, 200);
    assert.equal((await refresh(home.issuer, body['refresh_token'], everywhere)).status, 200);
  }
  assert.equal(await alarms(), 0);
});

test('credentials are nothing at another server: 401 at token, revocation and introspection (AS-7, AS-64)', async () => {
  const [own, other] = servers;
  assert.ok(own && other);
  const shapes = [
    { registration: 'dynamic', tokenEndpointAuthMethod: 'client_secret_post' },
    { registration: 'dynamic', tokenEndpointAuthMethod: 'none' },
    { registration: 'admin', tokenEndpointAuthMethod: 'client_secret_post', redirectUris: [] },
  ] as const;
  for (const shape of shapes) {
    const client = await makeClient(site, { mcpServerId: own.id, ...shape });
    const credentials = {
      client_id: client.id,
      ...(shape.tokenEndpointAuthMethod === 'none' ? {} : { client_secret: client.secret }),
    };
    for (const [endpoint, fields] of [
      ['token', { grant_type: 'refresh_token', refresh_token: 'x' }],
      ['token', { grant_type: 'client_credentials' }],
      ['revoke', { token: 'x' }],
      ['introspect', { token: 'x' }],
    ] as const)
      refusedAs(
        await post(`${other.issuer}/oauth/${endpoint}`, { ...fields, ...credentials }),
        'invalid_client',
        401,
        `${shape.registration} ${shape.tokenEndpointAuthMethod} at ${endpoint}`,
      );
  }
  for (const kind of ['application', 'environment'] as const) {
    const client = await makeClient(site, {
      mcpServerId: undefined,
      kind,
      registration: 'admin',
      tokenEndpointAuthMethod: 'client_secret_post',
      managementApi: kind === 'environment',
    });
    const answer = await post(`${own.issuer}/oauth/token`, {
      grant_type: 'client_credentials',
      client_id: client.id,
      client_secret: client.secret,
    });
    refusedAs(answer, 'invalid_client', 401, kind);
  }
});
