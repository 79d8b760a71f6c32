import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenApi, Operation } from '../src/http/openapi.ts';
import { bindingsOf } from '../src/http/rest-bindings.ts';
import { services } from '../src/rpcs.ts';
import { startTestGatewarden } from '../src/testing.ts';

function operationsOf(api: OpenApi): (readonly [path: string, verb: string, Operation])[] {
  return Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => [path, verb, operation] as const),
  );
}

test('the description has every path of the contract, refers to nothing that it lacks, and names each variable', async (t) => {
  const { origin } = await startTestGatewarden(t);
  const answer = await fetch(`${origin}/openapi.json`);
  assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
  const text = await answer.text();
  const api: OpenApi = JSON.parse(text);
  assert.equal(api.openapi, '3.1.1');

  const operations = operationsOf(api);
  assert.equal(operations.length, bindingsOf(services).length);
  assert.equal(
    new Set(operations.map(([, , { operationId }]) => operationId)).size,
    operations.length,
  );
  for (const [path, verb, { parameters }] of operations) {
    const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => name);
    const variables = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    assert.deepEqual(inPath, variables, `${verb} ${path}`);
    const names = parameters.map((each) => `${each.in} ${each.name}`);
    assert.equal(new Set(names).size, names.length, `${verb} ${path}`);
  }
  const shapes = Object.keys(api.paths).map((path) => path.replace(/\{[^}]+\}/g, '{}'));
  assert.equal(new Set(shapes).size, shapes.length, 'no path twice under other names');

  const known = new Set(Object.keys(api.components.schemas));
  const referred = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
  assert.ok(referred.length > 500);
  for (const name of referred) assert.ok(name && known.has(name), name);
});

test('operations say their status, body, limits, callers, and whether they are preview or absent', async (t) => {
  const { origin } = await startTestGatewarden(t);
  const api: OpenApi = await (await fetch(`${origin}/openapi.json`)).json();
  const createRole = api.paths['/api/v1/roles']?.['post'];
  assert.ok(createRole?.requestBody);
  assert.deepEqual(Object.keys(createRole.responses), ['201', 'default']);
  assert.deepEqual(createRole.requestBody.content['application/json'].schema, {
    $ref: '#/components/schemas/roles.CreateRole',
  });
  assert.deepEqual(api.components.schemas['roles.CreateRole']?.['required'], [
    'name',
    'display_name',
  ]);
  const deleteRole = api.paths['/api/v1/roles/{role_name}']?.['delete'];
  assert.ok(deleteRole?.parameters.some(({ name }) => name === 'reassign_role_name'));
  const get = api.paths['/api/v1/organizations/{id}']?.['get'];
  assert.deepEqual(get?.parameters[0]?.schema, { type: 'string', minLength: 1, maxLength: 32 });
  const sessions = api.paths['/api/v1/users/{user_id}/sessions']?.['get'];
  assert.deepEqual(
    sessions?.parameters.map(({ name }) => name),
    ['user_id', 'page_size', 'page_token', 'filter.status', 'filter.start_time', 'filter.end_time'],
  );
  const consent = api.paths['/api/v1/oauth/consent/details']?.['get'];
  assert.deepEqual([consent?.security, consent?.['x-callers']], [[], 'open']);
  const search = api.paths['/api/v1/organizations:search']?.['get'];
  assert.equal(search?.['x-preview'], true);
  const migration = api.paths['/migrations/env-keys']?.['post'];
  assert.equal(migration?.['x-unavailable'], true);
  assert.equal(api.paths['/api/v1/permissions']?.['get']?.['x-unavailable'], undefined);
  const client = api.components.schemas['clients.OrganizationClient'];
  const text = JSON.stringify(client?.['properties']);
  assert.ok(text.includes('"expiry":{"type":"string","format":"int64"}'), '64 bits are text');
});

test('the description is sent once: a client that has it gets 304', async (t) => {
  const { origin } = await startTestGatewarden(t);
  const first = await fetch(`${origin}/openapi.json`);
  const etag = first.headers.get('etag') ?? '';
  await first.text();
  assert.match(etag, /^"[\w-]{22}"$/);
  for (const given of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await fetch(`${origin}/openapi.json`, { headers: { 'if-none-match': given } });
    assert.deepEqual([again.status, await again.text()], [304, ''], given);
  }
  const other = await fetch(`${origin}/openapi.json`, { headers: { 'if-none-match': '"other"' } });
  assert.equal(other.status, 200);
  await other.text();
});

test('people read it without scripts, under a policy that loads nothing from elsewhere', async (t) => {
  const { origin } = await startTestGatewarden(t);
  const index = await fetch(`${origin}/openapi`);
  const text = await index.text();
  assert.match(index.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.match(text, /<a href="\/openapi\/Roles">Roles<\/a><\/td><td>27<\/td>/);
  for (const { desc } of services) {
    const page = await fetch(`${origin}/openapi/${desc.name.replace(/Service$/, '')}`);
    const html = await page.text();
    assert.equal(page.status, 200, desc.name);
    assert.doesNotMatch(html, /<script|style=|https?:\/\//, desc.name);
    const anchors = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    for (const link of links) assert.ok(anchors.has(link), `${desc.name}: #${link}`);
  }
  const unknown = await fetch(`${origin}/openapi/%3Cscript%3E`);
  assert.equal(unknown.status, 404);
  assert.doesNotMatch(await unknown.text(), /<script>/);
});
