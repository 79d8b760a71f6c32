import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import type { McpServer } from '../src/mcp/mcp-servers.ts';
import {
  authorizeUrl,
  pkce,
  register,
  sql,
  startTestGatewarden,
  type TestGatewarden,
} from '../src/testing.ts';
import { managementApi, members, ok, type Step, steps } from './management-api.ts';
import { connect, refresh } from './management-connect.ts';

const HTTPS = 'https://client.example/cb';
let gatewarden: TestGatewarden;
let server: McpServer;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
});

/** A site with a client ID metadata document. */
async function documentUrl(t: TestContext): Promise<string> {
  const site = createServer((request, response) => {
    const origin = `http://localhost:${(site.address() as AddressInfo).port}`;
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        client_id: `${origin}${request.url}`,
        client_name: 'Documented',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: [`${origin}/cb`],
        token_endpoint_auth_method: 'none',
      }),
    );
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    site.closeAllConnections();
    site.close();
  });
  return `http://localhost:${(site.address() as AddressInfo).port}/client.json`;
}

test('registered clients and documents are listed beside those of an administrator; withdrawing a consent ends its tokens at once (AS-134)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const own = await gatewarden.mcpServer();
  const at = `${gatewarden.url}/resources/${own.id}`;
  const loopback = 'http://127.0.0.1:7777/cb';
  const { body } = await register(gatewarden.url, own.id, {
    client_name: 'Registered',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [loopback],
    token_endpoint_auth_method: 'none',
  });
  const dcr = String(body['client_id']);
  const url = await documentUrl(t);
  const documented = await connect(at, url, new URL('/cb', url).href, 'doc+sktest@example.com');
  const registered = await connect(at, dcr, loopback, 'dcr+sktest@example.com');
  ok(await api(steps.createClient(own.id, { name: 'Static' })));

  const list = ok(await api(steps.listClients(own.id)));
  assert.deepEqual([list['total_dcr_clients'], list['total_static_clients']], [1, 1]);
  const found = members(list, 'clients')
    .map((client) => [
      client['name'],
      client['is_dcr'] ?? false,
      client['is_cimd'] ?? false,
      client['metadata_uri'] ?? '',
    ])
    .sort();
  assert.deepEqual(found, [
    ['Documented', false, true, url],
    ['Registered', true, false, ''],
    ['Static', false, false, ''],
  ]);
  const cimd = String(
    members(list, 'clients').find(({ is_cimd: is }) => is === true)?.['client_id'],
  );
  assert.match(cimd, /^m2m_[0-9]{15}$/, 'a name short enough for the contract');
  assert.deepEqual(
    members(ok(await api(steps.listClients(server.id))), 'clients').filter(
      ({ is_cimd: is }) => is === true,
    ),
    [],
    'nobody allowed it there',
  );
  assert.equal((await api(steps.getClient(server.id, cimd))).code, 5);
  assert.equal(
    (await api(steps.updateClient(own.id, cimd, { name: 'Renamed' }))).errorCode,
    'CLIENT_DESCRIBED_BY_DOCUMENT',
  );
  assert.equal((await api(steps.createSecret(cimd))).errorCode, 'CLIENT_HAS_NO_SECRETS');
  const atAuthorize = await fetch(
    authorizeUrl(at, { client_id: cimd, redirect_uri: loopback, code_challenge: pkce().challenge }),
    { redirect: 'manual' },
  );
  assert.equal(atAuthorize.status, 400, 'that name is no client id for clients');

  const all = ok(await api(steps.listConsents(own.id)));
  assert.deepEqual(
    [all['total_size'], members(all, 'consents').map(({ client_name: name }) => name)],
    [2, ['Registered', 'Documented']],
  );
  for (const [search, names] of [
    ['REGIST', ['Registered']],
    ['doc+sktest', ['Documented']],
    [dcr, ['Registered']],
    ['%', []],
    ['nobody', []],
  ] as const)
    assert.deepEqual(
      members(ok(await api(steps.listConsents(own.id, { search }))), 'consents').map(
        ({ client_name: name }) => name,
      ),
      names,
      search,
    );
  const paged = ok(await api(steps.listConsents(own.id, { page_size: 1 })));
  const next = ok(
    await api(
      steps.listConsents(own.id, { page_size: 1, page_token: paged['next_page_token'] ?? '' }),
    ),
  );
  assert.deepEqual(
    members(next, 'consents').map(({ client_name: name }) => name),
    ['Documented'],
  );
  assert.equal(
    (
      await api(
        steps.listConsents(own.id, { search: 'doc', page_token: paged['next_page_token'] ?? '' }),
      )
    ).code,
    3,
    'a token of another search',
  );

  const consentOf = (name: string) =>
    String(members(all, 'consents').find(({ client_name: one }) => one === name)?.['id']);
  assert.equal(
    (await api(steps.revokeConsent(cimd, consentOf('Registered')))).code,
    5,
    "another client's consent",
  );
  assert.equal(await refresh(at, dcr, registered['refresh_token']), 200);
  ok(await api(steps.revokeConsent(dcr, consentOf('Registered'))));
  assert.equal(await refresh(at, dcr, registered['refresh_token']), 400);
  assert.equal((await api(steps.revokeConsent(dcr, consentOf('Registered')))).code, 5);
  for (const step of [
    steps.revokeConsent('skc_123456789012345678', consentOf('Documented')),
    steps.revokeConsent(cimd, 'usrcnst_x'),
    steps.revokeConsent(cimd, 'grt_123456789012345678'),
  ])
    assert.equal((await api(step)).code, 3);

  assert.equal(await refresh(at, url, documented['refresh_token']), 200);
  ok(await api(steps.deleteClient(own.id, cimd)));
  assert.equal(await refresh(at, url, documented['refresh_token']), 400);
  assert.equal((await api(steps.deleteClient(own.id, cimd))).code, 5);
  const feed = await gatewarden.database.rows<{ kind: string }>(
    sql`select kind from revocations where mcp_server_id = ${own.id} order by seq`,
  );
  assert.deepEqual(
    feed.map(({ kind }) => kind),
    ['handle', 'handle'],
    'verifiers are told',
  );
});

test('RegisterClient over gRPC obeys the same rules and limits as RFC 7591 over HTTP (AS-57, AS-61, AS-65)', async (t) => {
  const api = await managementApi(t, gatewarden, 'gRPC');
  const own = await gatewarden.mcpServer({ settings: { registrationPerHour: 4 } });
  const step = (client: JsonObject, id = own.id): Step => ({
    method: ClientService.method.registerClient,
    input: { res_id: id, client },
    rest: ['POST', '/'],
  });
  const made = ok(
    await api(
      step({ client_name: 'Robot', redirect_uris: [HTTPS], scope: 'todo:read' }),
      undefined,
    ),
  );
  assert.match(String(made['client_id']), /^m2m_[0-9]{15,19}$/);
  assert.deepEqual(
    [
      made['name'],
      made['redirect_uris'],
      made['resource_id'],
      String(made['client_secret']).length > 40,
    ],
    ['Robot', [HTTPS], own.id, true],
  );
  for (const [client, code] of [
    [{ redirect_uris: ['javascript:alert(1)'] }, 'INVALID_REDIRECT_URI'],
    [{ client_name: 'x' }, 'INVALID_REDIRECT_URI'],
    [{ client_name: 'a\0', redirect_uris: [HTTPS] }, 'INVALID_ARGUMENT'],
  ] as [JsonObject, string][]) {
    const answer = await api(step(client), undefined);
    assert.deepEqual([answer.code, answer.errorCode], [3, code], JSON.stringify(client));
  }
  assert.equal(
    (await api(step({ redirect_uris: [HTTPS] }, 'res_123456789012345678'), undefined)).code,
    5,
  );
  assert.equal((await api(step({ redirect_uris: [HTTPS] }, 'x'), undefined)).code, 3);
  let limited = 0;
  for (let index = 0; index < 4; index += 1)
    limited = (await api(step({ client_name: `R${index}`, redirect_uris: [HTTPS] }), undefined))
      .code;
  assert.equal(limited, 8);
  ok(await api(steps.updateResource(own.id, { disable_dynamic_client_registration: true })));
  assert.equal(
    (await api(step({ client_name: 'Late', redirect_uris: [HTTPS] }), undefined)).code,
    7,
  );
});
