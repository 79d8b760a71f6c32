import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upsertConsent } from '../grants/consents.store.ts';
import { issuerOf } from '../mcp/mcp-servers.ts';
import { sql } from '../storage/db.ts';
import { authenticateClient } from './client-authentication.ts';
import { at, outcome, post } from './test-authentication.ts';
import { testClients } from './test-clients.ts';
import { type JsonAnswer, registrationSite, SHAPES } from './test-registration.ts';

async function managed(t: Parameters<typeof registrationSite>[0]) {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const server = await clients.mcpServer({ settings: { dcrManagement: true } });
  const { body } = await site.register(server.id, SHAPES.claudePublic);
  const [id, token] = [String(body['client_id']), String(body['registration_access_token'])];
  const call = (
    method: string,
    options: { token?: string; id?: string; server?: string; body?: unknown } = {},
  ): Promise<JsonAnswer> =>
    site.call(
      method,
      `/resources/${options.server ?? server.id}/oauth/register/${options.id ?? id}`,
      { headers: { authorization: `Bearer ${options.token ?? token}` }, body: options.body },
    );
  return { clients, site, server, body, id, token, call };
}

test('with dcr_management each registration has its own row, address and token, and the token of one is nothing at the other (AS-61, AS-66, AS-68)', async (t) => {
  const { clients, site, server, body, id, call } = await managed(t);
  assert.equal(
    body['registration_client_uri'],
    `${issuerOf(clients.ctx, server)}/oauth/register/${id}`,
  );
  const second = await site.register(server.id, SHAPES.claudePublic);
  assert.notEqual(second.body['client_id'], id);
  const secondToken = String(second.body['registration_access_token']);
  assert.deepEqual(
    [(await call('GET')).status, (await call('GET', { token: secondToken })).status],
    [200, 401],
  );
  const own = await call('GET');
  assert.deepEqual(
    [own.body['client_id'], own.body['client_name'], own.headers.get('cache-control')],
    [id, 'Claude', 'no-store'],
  );
});

test('an update replaces all metadata; wrong ids, secrets and URIs are refused; the token keeps working (AS-68, RFC 7592 §2.2)', async (t) => {
  const { call, id } = await managed(t);
  const update = {
    client_id: id,
    client_name: 'Renamed',
    redirect_uris: ['https://claude.ai/other'],
    token_endpoint_auth_method: 'none',
  };
  const { status, body } = await call('PUT', { body: update });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    [body['client_id'], body['client_name'], body['redirect_uris'], body['grant_types']],
    [id, 'Renamed', ['https://claude.ai/other'], ['authorization_code']],
  );
  assert.equal((await call('GET')).body['client_name'], 'Renamed');
  const refusals: [unknown, string][] = [
    [{ ...update, client_id: 'm2m_1' }, 'invalid_client_metadata'],
    [{ ...update, client_id: undefined }, 'invalid_client_metadata'],
    [{ ...update, client_secret: 'guess' }, 'invalid_client_metadata'],
    [{ ...update, redirect_uris: ['javascript:x'] }, 'invalid_redirect_uri'],
    ['[]', 'invalid_client_metadata'],
  ];
  for (const [refused, code] of refusals) {
    const answer = await call('PUT', { body: refused });
    assert.deepEqual([answer.status, answer.body['error']], [400, code]);
  }
  assert.equal((await call('GET')).body['client_name'], 'Renamed');
});

test('an update to a secret method brings a secret that works; repeating it in an update is fine (AS-68, AS-59)', async (t) => {
  const { clients, server, call, id } = await managed(t);
  const update = {
    client_id: id,
    client_name: 'Claude',
    redirect_uris: SHAPES.claudePublic.redirect_uris,
    token_endpoint_auth_method: 'client_secret_post',
  };
  const { body } = await call('PUT', { body: update });
  const secret = String(body['client_secret']);
  const authenticate = (value: string): Promise<string> =>
    outcome(
      authenticateClient(
        clients.ctx,
        post({ client_id: id, client_secret: value }),
        at(clients.ctx, server),
      ),
    );
  assert.deepEqual(
    [await authenticate(secret), await authenticate('wrong')],
    ['secret', '401 invalid_client'],
  );
  const again = await call('PUT', { body: { ...update, client_secret: secret } });
  assert.deepEqual([again.status, 'client_secret' in again.body], [200, false]);
  assert.equal(await authenticate(secret), 'secret');
});

test('an update of redirect URIs, keys or method ends remembered consents; one of the logo does not (AS-68, AS-131)', async (t) => {
  const { clients, call, id } = await managed(t);
  const { ctx } = clients;
  const remembered = async (): Promise<boolean> => {
    const rows = await ctx.db.rows<{ remembered: boolean }>(
      sql`select remembered from consents where environment_id = ${ctx.environmentId} and client_id = ${id}`,
    );
    return rows[0]?.remembered === true;
  };
  const base = { ...SHAPES.claudePublic, client_id: id };
  const after = async (extra: Record<string, unknown>): Promise<boolean> => {
    await upsertConsent(ctx.db, {
      environmentId: ctx.environmentId,
      id: 'usrcnst_1',
      userId: 'usr_1',
      clientId: id,
      redirectUri: 'https://claude.ai/api/mcp/auth_callback',
      scopes: [],
      clientDigest: new Uint8Array(1),
      remembered: true,
      now: ctx.now(),
    });
    assert.equal((await call('PUT', { body: { ...base, ...extra } })).status, 200);
    return await remembered();
  };
  assert.equal(await after({ logo_uri: 'https://claude.ai/logo.png' }), true);
  assert.equal(await after({ redirect_uris: ['https://claude.ai/other'] }), false);
  assert.equal(
    await after({ redirect_uris: ['https://claude.ai/other'], jwks_uri: 'https://claude.ai/jwks' }),
    false,
  );
  assert.equal(
    await after({
      redirect_uris: ['https://claude.ai/other'],
      token_endpoint_auth_method: 'client_secret_post',
    }),
    false,
  );
});

test('delete ends the client and its token: 204, then 401 (AS-68, RFC 7592 §2.3)', async (t) => {
  const { clients, server, call, id } = await managed(t);
  assert.equal((await call('DELETE')).status, 204);
  for (const method of ['GET', 'PUT', 'DELETE'])
    assert.equal(
      (await call(method, { body: method === 'PUT' ? {} : undefined })).status,
      401,
      method,
    );
  assert.equal(
    await outcome(
      authenticateClient(clients.ctx, post({ client_id: id }), at(clients.ctx, server)),
    ),
    '401 invalid_client',
  );
});

test('a missing, wrong or foreign token, another server, or the switch off: 401 invalid_token with a Bearer challenge (AS-68)', async (t) => {
  const { clients, site, server, call, token, id } = await managed(t);
  const other = await clients.mcpServer({ name: 'Other', settings: { dcrManagement: true } });
  const off = await clients.mcpServer({ name: 'Off' });
  const answers = [
    await call('GET', { token: `${token}x` }),
    await call('GET', { token: '' }),
    await call('GET', { id: 'm2m_123456789012345' }),
    await call('GET', { server: other.id }),
    await call('DELETE', { server: off.id }),
    await site.call('GET', `/resources/${server.id}/oauth/register/${id}`),
  ];
  for (const answer of answers) {
    assert.deepEqual([answer.status, answer.body['error']], [401, 'invalid_token']);
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/);
  }
  assert.equal((await call('GET')).status, 200);
});

test('registration tokens are stored only as hashes (AS-69)', async (t) => {
  const { clients, token } = await managed(t);
  const rows = await clients.ctx.db.rows<{ row: unknown }>(
    sql`select to_jsonb(c) as row from clients c where environment_id = ${clients.ctx.environmentId}`,
  );
  assert.equal(
    JSON.stringify([rows, await clients.events('client.registered')]).includes(token),
    false,
  );
});
