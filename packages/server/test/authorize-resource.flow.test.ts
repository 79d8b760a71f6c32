import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sql } from '../src/storage/db.ts';
import {
  asLanding,
  asPage,
  cookieBrowser,
  type Landing,
  type Page,
} from '../src/testing/cookie-browser.ts';
import { LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';

const site = await startMcpSite({ after });

async function open(target: string): Promise<Page | Landing> {
  return await cookieBrowser(site.gatewarden.url).open(target);
}

function assertError(seen: Page | Landing, code: string): void {
  const { params } = asLanding(seen);
  assert.equal(params.get('error'), code);
  assert.equal(params.get('iss'), site.issuer);
  assert.equal(params.get('code'), null);
  assert.deepEqual([params.getAll('iss').length, params.getAll('error').length], [1, 1]);
}

test('resource: absent, equal, below, other, several, malformed (AS-33, AS-34, AS-35, AS-36)', async () => {
  for (const resource of [
    undefined,
    'https://mcp.example.com/mcp',
    'HTTPS://MCP.example.com:443/mcp/',
    'https://mcp.example.com/mcp/deeper',
    site.server.id,
    site.issuer,
  ]) {
    assert.equal(asPage(await open(site.url({ resource }))).step, 'identify', String(resource));
  }
  for (const resource of [
    'https://mcp.example.com/mcpx',
    'https://mcp.example.com/',
    'https://mcp.example.com/mcp?x=1',
    'https://mcp.example.com/mcp#x',
    'https://mcp.example.com/mcp/../mcp',
    'https://mcp.example.com/mcp/%2e%2e/x',
    'http://mcp.example.com/mcp',
    'mcp',
    'https://other.example/mcp',
  ]) {
    assertError(await open(site.url({ resource })), 'invalid_target');
  }
  assertError(
    await open(`${site.url({ resource: site.server.id })}&resource=https://other.example/mcp`),
    'invalid_target',
  );
  assert.equal(
    asPage(await open(`${site.url({ resource: site.server.id })}&resource=${site.server.id}`)).step,
    'identify',
  );
});

test('a path below a bare origin, or below a sibling that lies closer, is refused (AS-36)', async () => {
  const origin = await site.gatewarden.mcpServer({
    name: 'Origin',
    serverUrl: 'https://origin.example',
  });
  const originIssuer = `${site.gatewarden.url}/resources/${origin.id}`;
  const client = await site.clientWith({ redirect_uris: [LOOPBACK] }, origin.id);
  const at = (resource: string): string => site.url({ client_id: client, resource }, originIssuer);
  assert.equal(asPage(await open(at('https://origin.example'))).step, 'identify');
  assert.equal(asPage(await open(at('https://origin.example/'))).step, 'identify');
  assert.equal(
    asLanding(await open(at('https://origin.example/u/evil/mcp'))).params.get('error'),
    'invalid_target',
  );
  await site.gatewarden.mcpServer({
    name: 'Closer',
    serverUrl: 'https://mcp.example.com/mcp/closer',
    enabled: false,
  });
  assertError(
    await open(site.url({ resource: 'https://mcp.example.com/mcp/closer/x' })),
    'invalid_target',
  );
});

test('require_resource refuses a request without one (AS-33)', async () => {
  const strict = await site.gatewarden.mcpServer({
    name: 'Strict',
    serverUrl: 'https://strict.example/mcp',
    settings: { requireResource: true },
  });
  const client = await site.clientWith({ redirect_uris: [LOOPBACK] }, strict.id);
  const at = `${site.gatewarden.url}/resources/${strict.id}`;
  assert.equal(
    asLanding(await open(site.url({ client_id: client }, at))).params.get('error'),
    'invalid_target',
  );
  assert.equal(
    asPage(await open(site.url({ client_id: client, resource: 'https://strict.example/mcp' }, at)))
      .step,
    'identify',
  );
});

test('a phishing MCP server cannot pass for one without a Server URL, and the operator sees what was asked first (AS-38)', async () => {
  const bare = await site.gatewarden.mcpServer({ name: 'Bare' });
  const client = await site.clientWith({ redirect_uris: [LOOPBACK] }, bare.id);
  const at = `${site.gatewarden.url}/resources/${bare.id}`;
  const refused = asLanding(
    await open(site.url({ client_id: client, resource: 'https://phisher.example/mcp' }, at)),
  );
  assert.equal(refused.params.get('error'), 'invalid_target');
  assert.match(refused.params.get('error_description') ?? '', /no Server URL is registered/);
  for (const resource of ['https://later.example/mcp', `https://${'x'.repeat(3000)}.example/`])
    asLanding(await open(site.url({ client_id: client, resource }, at)));
  const rows = await site.gatewarden.database.rows<{ refused_resource: string }>(
    sql`select refused_resource from mcp_servers where id = ${bare.id}`,
  );
  assert.equal(rows[0]?.refused_resource, 'https://phisher.example/mcp');
  assert.equal(asPage(await open(site.url({ client_id: client }, at))).step, 'identify');
  assert.equal(
    asPage(await open(site.url({ client_id: client, resource: bare.id }, at))).step,
    'identify',
  );
  assert.equal(
    asPage(await open(site.url({ client_id: client, resource: 'http://localhost:3002/mcp' }, at)))
      .step,
    'identify',
    'loopback in development',
  );
});
