import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import type { McpServer } from '../src/mcp/mcp-servers.ts';
import { sql, startTestGatewarden, type TestGatewarden, token } from '../src/testing.ts';
import { managementApi, member, members, ok, protocols, steps } from './management-api.ts';
import { connect, refresh } from './management-connect.ts';

const HTTPS = 'https://client.example/cb';
let gatewarden: TestGatewarden;
let server: McpServer;
let issuer: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  issuer = `${gatewarden.url}/resources/${server.id}`;
});

async function machineToken(
  clientId: string,
  secret: string,
): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
  return await token(issuer, {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: secret,
  });
}

for (const protocol of protocols) {
  test(`over ${protocol} a client with redirect URIs is for people, one without for machines; each has a secret that is shown once (AS-69, AS-98)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const made = ok(
      await api(
        steps.createClient(server.id, {
          name: 'Site',
          description: 'For people',
          redirect_uris: [HTTPS],
        }),
      ),
    );
    const site = member(made, 'client');
    const id = String(site['client_id']);
    const secret = String(made['plain_secret']);
    assert.match(id, /^m2m_[0-9]{15,19}$/);
    assert.deepEqual(
      [
        site['resource_id'],
        site['redirect_uris'],
        site['audience'],
        site['is_dcr'],
        site['is_cimd'],
      ],
      [server.id, [HTTPS], ['https://mcp.example.com/mcp', server.id], undefined, undefined],
    );
    const [known] = members(site, 'secrets');
    assert.equal(known?.['secret_suffix'], secret.slice(-4));
    const granted = await connect(
      issuer,
      id,
      HTTPS,
      `site-${protocol.toLowerCase()}+sktest@example.com`,
      secret,
    );
    assert.equal(await refresh(issuer, id, granted['refresh_token'], 'wrong'), 401);

    const machine = ok(
      await api(
        steps.createClient(server.id, {
          name: 'Robot',
          scopes: ['todo:read', 'todo:write'],
          expiry: '120',
        }),
      ),
    );
    const robot = String(member(machine, 'client')['client_id']);
    const own = await machineToken(robot, String(machine['plain_secret']));
    assert.deepEqual(
      [own.status, own.body['expires_in'], own.body['scope']],
      [200, 120, 'todo:read todo:write'],
    );
    assert.equal(
      (await machineToken(id, secret)).status,
      400,
      'a client for people gets no token of its own',
    );

    const shown = ok(await api(steps.getClient(server.id, id)));
    assert.deepEqual(
      members(shown, 'consented_users').map(({ scopes }) => scopes),
      [['todo:read']],
    );
    assert.ok(
      !JSON.stringify([shown, ok(await api(steps.listClients(server.id)))]).includes(secret),
    );
    const changed = member(
      ok(
        await api(
          steps.updateClient(server.id, robot, {
            name: 'Android',
            scopes: ['todo:read'],
            expiry: '0',
          }),
        ),
      ),
      'client',
    );
    assert.deepEqual(
      [changed['name'], changed['scopes'], changed['expiry']],
      ['Android', ['todo:read'], undefined],
    );
    assert.deepEqual(
      (await machineToken(robot, String(machine['plain_secret']))).body['scope'],
      'todo:read',
    );

    ok(await api(steps.deleteClient(server.id, id)));
    assert.equal(await refresh(issuer, id, granted['refresh_token'], secret), 401);
    for (const step of [
      steps.deleteClient(server.id, id),
      steps.getClient(server.id, id),
      steps.updateClient(server.id, id, { name: 'x' }),
    ]) {
      const answer = await api(step);
      assert.deepEqual([answer.code, answer.errorCode], [5, 'CLIENT_NOT_FOUND']);
    }
  });

  test(`over ${protocol} secrets come and go without an outage, and the last one stays (AS-69)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const made = ok(
      await api(steps.createClient(server.id, { name: 'Robot', scopes: ['todo:read'] })),
    );
    const client = member(made, 'client');
    const id = String(client['client_id']);
    const first = String(members(client, 'secrets')[0]?.['id']);
    const added = ok(await api(steps.createSecret(id)));
    const second = String(member(added, 'secret')['id']);
    const [old, fresh] = [String(made['plain_secret']), String(added['plain_secret'])];
    assert.deepEqual(
      [(await machineToken(id, old)).status, (await machineToken(id, fresh)).status],
      [200, 200],
    );
    const off = member(
      ok(await api(steps.updateSecret(id, first, { status: 'INACTIVE' }))),
      'secret',
    );
    assert.equal(off['status'], 'INACTIVE');
    assert.deepEqual(
      [(await machineToken(id, old)).status, (await machineToken(id, fresh)).status],
      [401, 200],
    );
    ok(await api(steps.updateSecret(id, first, { status: 'ACTIVE' })));
    assert.equal((await machineToken(id, old)).status, 200);
    ok(await api(steps.deleteSecret(id, first)));
    assert.equal((await machineToken(id, old)).status, 401);
    assert.deepEqual(
      [
        (await api(steps.deleteSecret(id, first))).errorCode,
        (await api(steps.updateSecret(id, first, { status: 'ACTIVE' }))).errorCode,
      ],
      ['SECRET_NOT_FOUND', 'SECRET_NOT_FOUND'],
    );
    const last = await api(steps.deleteSecret(id, second));
    assert.deepEqual([last.code, last.errorCode], [9, 'LAST_SECRET']);
    for (let index = 1; index < 10; index += 1) ok(await api(steps.createSecret(id)));
    assert.equal((await api(steps.createSecret(id))).errorCode, 'TOO_MANY_SECRETS');
    for (const step of [
      steps.createSecret('m2m_123456789012345678'),
      steps.createSecret('skc_123456789012345678'),
    ])
      assert.equal((await api(step)).code, 5);
    for (const step of [
      steps.createSecret('abc'),
      steps.deleteSecret(id, 'x'),
      steps.createSecret('m2morg_123456789012345678'),
    ])
      assert.equal((await api(step)).code, 3);
  });
}

test('the last active secret of the client that calls the API cannot be switched off or deleted: nobody locks themselves out', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  const [row] = await own.database.rows<{ id: string }>(
    sql`select id from client_secrets where client_id = ${own.client.id}`,
  );
  const first = row?.id ?? '';
  assert.equal(
    (await api(steps.updateSecret(own.client.id, first, { status: 'INACTIVE' }))).errorCode,
    'LAST_SECRET',
  );
  const second = String(member(ok(await api(steps.createSecret(own.client.id))), 'secret')['id']);
  ok(await api(steps.updateSecret(own.client.id, first, { status: 'INACTIVE' })));
  assert.equal((await api(steps.deleteSecret(own.client.id, second))).errorCode, 'LAST_SECRET');
  ok(await api(steps.deleteSecret(own.client.id, first)));
});

test('what a client of an MCP server cannot have is refused by name, and nothing is written (AS-53, AS-148)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const before_ = members(ok(await api(steps.listClients(server.id))), 'clients').length;
  const refused: [JsonObject, string][] = [
    [{ name: '' }, 'client.name'],
    [{ name: '\u200b' }, 'client.name'],
    [{ name: 'a\0' }, 'client.name'],
    [{ name: 'a'.repeat(129) }, 'client.name'],
    [{ description: 'a'.repeat(513) }, 'client.description'],
    [{ scopes: ['todo:read', 'admin:all'] }, 'client.scopes[1]'],
    [{ audience: [gatewarden.url] }, 'client.audience[0]'],
    [{ audience: [`${gatewarden.url}/api`] }, 'client.audience[0]'],
    [{ audience: ['res_123456789012345678'] }, 'client.audience[0]'],
    [{ audience: [server.id, 'https://other.example'] }, 'client.audience[1]'],
    [{ audience: ['usr_123456789012345678'] }, 'client.audience[0]'],
    [{ custom_claims: [{ key: 'sub', value: 'usr_1' }] }, 'client.custom_claims'],
    [{ expiry: '59' }, 'client.expiry'],
    [{ expiry: '86401' }, 'client.expiry'],
    [{ expiry: '-1' }, 'client.expiry'],
    [{ redirect_uris: ['javascript:alert(1)'] }, 'client.redirect_uris[0]'],
    [{ redirect_uris: [HTTPS, 'http://client.example/cb'] }, 'client.redirect_uris[1]'],
    [{ redirect_uris: [`${HTTPS}#x`] }, 'client.redirect_uris[0]'],
    [{ redirect_uris: ['https://*.example/cb'] }, 'client.redirect_uris[0]'],
    [{ redirect_uris: [''] }, 'client.redirect_uris[0]'],
    [
      { redirect_uris: Array.from({ length: 21 }, (_, index) => `${HTTPS}/${index}`) },
      'client.redirect_uris',
    ],
  ];
  for (const [client, field] of refused) {
    const answer = await api(steps.createClient(server.id, { name: 'Client', ...client }));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(client));
  }
  assert.equal(members(ok(await api(steps.listClients(server.id))), 'clients').length, before_);
  ok(
    await api(
      steps.createClient(server.id, {
        name: 'Client',
        audience: [server.id, 'https://mcp.example.com/mcp'],
      }),
    ),
  );
});

test('a machine that gets a redirect URI becomes a client for people, and the reverse; a mask leaves the rest alone (AS-98)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const made = ok(
    await api(steps.createClient(server.id, { name: 'Both', scopes: ['todo:read'] })),
  );
  const id = String(member(made, 'client')['client_id']);
  const secret = String(made['plain_secret']);
  ok(await api(steps.updateClient(server.id, id, { redirect_uris: [HTTPS] })));
  assert.equal((await machineToken(id, secret)).status, 400);
  await connect(issuer, id, HTTPS, 'both+sktest@example.com', secret);
  const changed = member(
    ok(await api(steps.updateClient(server.id, id, { redirect_uris: [] }))),
    'client',
  );
  assert.deepEqual(
    [changed['name'], changed['scopes'], changed['redirect_uris']],
    ['Both', ['todo:read'], undefined],
  );
  assert.equal((await machineToken(id, secret)).status, 200);
  for (const change of [
    { name: '' },
    { redirect_uris: ['x'] },
    { scopes: ['unknown'] },
  ] as JsonObject[])
    assert.equal(
      (await api(steps.updateClient(server.id, id, change))).code,
      3,
      JSON.stringify(change),
    );
});

test('a client of another MCP server is not found, whatever is asked of it (AS-7, AS-64)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const other = await gatewarden.mcpServer();
  const { id } = await gatewarden.machine(other.id);
  for (const step of [
    steps.getClient(server.id, id),
    steps.updateClient(server.id, id, { name: 'Mine' }),
    steps.deleteClient(server.id, id),
  ])
    assert.equal((await api(step)).code, 5);
  for (const step of [
    steps.getClient(server.id, gatewarden.client.id),
    steps.getClient(server.id, 'x'),
  ])
    assert.equal((await api(step)).code, 3);
  ok(await api(steps.getClient(other.id, id)));
});
