import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { sql } from '../../storage/db.ts';
import { forgetAllRows } from '../../storage/row-cache.ts';
import { OAuthError } from '../oauth-error.ts';
import { keepResource } from './keep-resource.ts';
import {
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  redeem,
  refresh,
  type Site,
  startSite,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;

before(async () => {
  site = await startSite(atTheEnd);
});

type Bound = Parameters<typeof keepResource>[2];
const accepts = async (values: readonly string[], bound: Bound): Promise<boolean> => {
  try {
    await keepResource(site.ctx, values, bound);
    return true;
  } catch (error) {
    assert.ok(error instanceof OAuthError && error.code === 'invalid_target');
    return false;
  }
};

test('a server without Server URL is named by its id, its issuer, or what was allowed for it (AS-38, AS-39)', async () => {
  const mcpServer = await makeServer(site, { serverUrl: '' });
  const allowed = 'https://somewhere.example/mcp';
  const table: readonly (readonly [string, string | undefined, boolean])[] = [
    [mcpServer.id, undefined, true],
    [mcpServer.issuer, undefined, true],
    [allowed, undefined, false],
    [allowed, allowed, true],
    [`${allowed}/below`, allowed, false],
    ['http://localhost:3002/mcp', undefined, true],
    ['http://127.0.0.1.nip.io/mcp', undefined, false],
    ['res_1234567890123456789', undefined, false],
  ];
  for (const [value, resource, expected] of table)
    assert.equal(await accepts([value], { mcpServer, resource }), expected, value);
  assert.equal(await accepts([], { mcpServer }), true);
  assert.equal(
    await accepts([mcpServer.id, mcpServer.id], { mcpServer }),
    true,
    'the same twice is one',
  );
  assert.equal(await accepts([mcpServer.id, mcpServer.issuer], { mcpServer }), false);
  assert.equal(
    await accepts([mcpServer.id], { mcpServer: undefined }),
    false,
    'an application has no resource',
  );
});

test('an address below the Server URL is this server, unless another server, even a disabled one, lies closer to it (AS-36, AS-39)', async () => {
  const mcpServer = await makeServer(site, { serverUrl: 'https://wide.example.com' });
  const inner = await makeServer(site, { serverUrl: 'https://wide.example.com/u/inner' });
  const table: readonly (readonly [string, boolean])[] = [
    ['https://wide.example.com/', true],
    ['https://wide.example.com/u/other/mcp', true],
    ['https://wide.example.com/u/innermost', true],
    ['https://wide.example.com/u/inner', false],
    ['https://wide.example.com/u/inner/', false],
    ['https://wide.example.com/u/inner/mcp', false],
    ['https://wide.example.com.evil.example/', false],
  ];
  for (const enabled of [true, false]) {
    await changeMcpServer(site.ctx, inner.id, { enabled });
    for (const [value, accepted] of table)
      assert.equal(await accepts([value], { mcpServer }), accepted, value);
  }
  assert.equal(await accepts(['https://wide.example.com/u/inner/mcp'], { mcpServer: inner }), true);
});

test('loopback stands for a server without Server URL in development only (AS-38)', async () => {
  const mcpServer = await makeServer(site, { serverUrl: '' });
  await site.ctx.db.rows(
    sql`update environments set kind = 'PRODUCTION', row_version = row_version + 1`,
  );
  forgetAllRows(site.ctx.db);
  assert.equal(await accepts(['http://localhost:3002/mcp'], { mcpServer }), false);
  await site.ctx.db.rows(
    sql`update environments set kind = 'DEVELOPMENT', row_version = row_version + 1`,
  );
  forgetAllRows(site.ctx.db);
});

test('a flow that began at E ends at E, for the server that the client is bound to (AS-7, AS-33)', async () => {
  const server = await makeServer(site);
  const client = await makeClient(site, { mcpServerId: server.id });
  const code = await makeCode(site, {
    server,
    client,
    issuer: site.E,
    scopes: ['todo:read', 'openid'],
  });
  assert.equal((await redeem(server.issuer, code, client)).body['error'], 'invalid_grant');
  const answer = await redeem(site.E, code, client);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(decodeJwt(String(answer.body['access_token'])).aud, [
    server.serverUrl,
    server.id,
  ]);
  assert.equal(decodeJwt(String(answer.body['id_token'])).iss, site.E);
  assert.equal(
    (await refresh(server.issuer, answer.body['refresh_token'], client)).body['error'],
    'invalid_grant',
  );
  assert.equal((await refresh(site.E, answer.body['refresh_token'], client)).status, 200);
});
