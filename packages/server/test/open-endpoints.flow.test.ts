import assert from 'node:assert/strict';
import { request } from 'node:http';
import { before, test } from 'node:test';
import { cleanUpAtTheEnd } from '../src/oauth/token/test-site.ts';
import { type Database, DatabaseUnavailable } from '../src/storage/db.ts';
import { testPglite } from '../src/testing/databases.ts';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';

// Every endpoint that web pages may call, and the ones they may not, in each way in which an answer can go wrong.

const FORM = 'application/x-www-form-urlencoded';
const ORIGIN = { origin: 'https://app.example' };
const atTheEnd = cleanUpAtTheEnd();
const trouble: { error: Error | undefined } = { error: undefined };
let gatewarden: TestGatewarden;
let rid = '';

before(async () => {
  const real = await testPglite(atTheEnd);
  const database: Database = {
    ...real,
    rows: async (query) => {
      if (trouble.error) throw trouble.error;
      return await real.rows(query);
    },
    transaction: async (work) => {
      if (trouble.error) throw trouble.error;
      return await real.transaction(work);
    },
  };
  gatewarden = await startTestGatewarden(atTheEnd, { database });
  rid = (await gatewarden.mcpServer({ settings: { userinfoForMcp: true } })).id;
});

type Endpoint = { path: string; method: 'GET' | 'POST'; type?: string };
const open = (): Endpoint[] => [
  { path: '/.well-known/oauth-authorization-server', method: 'GET' },
  { path: '/.well-known/openid-configuration', method: 'GET' },
  { path: `/.well-known/oauth-authorization-server/resources/${rid}`, method: 'GET' },
  { path: `/.well-known/openid-configuration/resources/${rid}`, method: 'GET' },
  { path: `/resources/${rid}/.well-known/openid-configuration`, method: 'GET' },
  { path: `/resources/${rid}/.well-known/oauth-authorization-server`, method: 'GET' },
  { path: '/keys', method: 'GET' },
  { path: '/.well-known/jwks.json', method: 'GET' },
  { path: `/resources/${rid}/keys`, method: 'GET' },
  { path: `/resources/${rid}/.well-known/jwks`, method: 'GET' },
  { path: '/oauth/token', method: 'POST', type: FORM },
  { path: `/resources/${rid}/oauth/token`, method: 'POST', type: FORM },
  { path: '/oauth/revoke', method: 'POST', type: FORM },
  { path: `/resources/${rid}/oauth/revoke`, method: 'POST', type: FORM },
  { path: '/userinfo', method: 'GET' },
  { path: '/oauth/userinfo', method: 'GET' },
  { path: `/resources/${rid}/oauth/userinfo`, method: 'GET' },
  { path: `/api/v1/resources/${rid}/clients:register`, method: 'POST', type: 'application/json' },
  { path: `/resources/${rid}/oauth/register`, method: 'POST', type: 'application/json' },
];

/** Not for web pages: what reads a cookie, speaks about others' tokens, or manages. */
const closed = (): Endpoint[] => [
  { path: '/oauth/authorize', method: 'GET' },
  { path: `/resources/${rid}/oauth/authorize`, method: 'GET' },
  { path: '/oauth/authorize/x', method: 'GET' },
  { path: '/oauth/introspect', method: 'POST', type: FORM },
  { path: `/resources/${rid}/oauth/introspect`, method: 'POST', type: FORM },
  { path: '/login/x', method: 'GET' },
  { path: '/logout', method: 'GET' },
  { path: '/oidc/logout', method: 'GET' },
  { path: '/api/v1/resources', method: 'GET' },
  { path: '/scalekit.v1.clients.ClientService/ListResources', method: 'POST' },
  { path: '/logos/x', method: 'GET' },
  { path: '/healthz', method: 'GET' },
  { path: '/metrics', method: 'GET' },
  { path: '/nothing', method: 'GET' },
];

type Answer = { status: number; headers: Headers; text: string };

async function call(
  { path, method, type }: Endpoint,
  { headers = {}, body, verb = method }: { headers?: object; body?: string; verb?: string } = {},
): Promise<Answer> {
  const withBody = verb === 'POST' || verb === 'PUT';
  const response = await fetch(`${gatewarden.url}${path}`, {
    method: verb,
    redirect: 'manual',
    headers: { ...ORIGIN, ...(type && withBody ? { 'content-type': type } : {}), ...headers },
    ...(withBody ? { body: body ?? '' } : {}),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function assertOpen(answer: Answer, what: string): void {
  const { headers } = answer;
  assert.equal(headers.get('access-control-allow-origin'), '*', what);
  assert.equal(headers.get('access-control-allow-credentials'), null, what);
  assert.match(headers.get('access-control-expose-headers') ?? '', /Retry-After/, what);
  assert.equal(headers.get('set-cookie'), null, what);
}

test('each open endpoint answers the preflight of a foreign page with 204, before any authentication and with its database away (AS-136)', async () => {
  for (const error of [undefined, new DatabaseUnavailable('away')]) {
    trouble.error = error;
    for (const endpoint of open()) {
      for (const path of [endpoint.path, `${endpoint.path}/`, `${endpoint.path}?x=1`]) {
        const answer = await call(
          { ...endpoint, path },
          {
            verb: 'OPTIONS',
            headers: {
              'access-control-request-method': endpoint.method,
              'access-control-request-headers': 'authorization,content-type,mcp-protocol-version',
            },
          },
        );
        assert.equal(answer.status, 204, path);
        assertOpen(answer, path);
        const methods = answer.headers.get('access-control-allow-methods') ?? '';
        assert.ok(methods.split(', ').includes(endpoint.method), path);
        assert.match(answer.headers.get('access-control-allow-headers') ?? '', /Authorization/);
        assert.equal(answer.headers.get('access-control-max-age'), '86400');
      }
    }
  }
  trouble.error = undefined;
});

test('each answer of an open endpoint can be read by a foreign page and is JSON, whatever goes wrong: 4xx, 405, 413, 503, a bug (AS-85, AS-136)', async () => {
  const errors: [Error | undefined, number[]][] = [
    [undefined, [200, 400, 401, 403, 404, 405, 413, 415]],
    [new DatabaseUnavailable('away'), [200, 400, 401, 405, 413, 415, 503]],
    [new TypeError('a bug'), [200, 400, 401, 405, 413, 415, 500]],
  ];
  for (const [error, expected] of errors) {
    // What is remembered would answer without the database.
    if (error) gatewarden.clock.advance({ minutes: 5 });
    trouble.error = error;
    for (const endpoint of open()) {
      const attempts = [
        call(endpoint),
        call(endpoint, { headers: { authorization: 'Bearer x.y.z' } }),
        call(endpoint, { headers: { authorization: 'Basic eDp5' } }),
        call(endpoint, { body: 'x'.repeat(300_000) }),
        call(endpoint, { headers: { 'content-type': 'text/html' }, body: '<p>' }),
        call(endpoint, { verb: endpoint.method === 'GET' ? 'PUT' : 'GET' }),
        call(endpoint, { verb: 'DELETE' }),
        call({ ...endpoint, path: endpoint.path.replace(rid, 'res_1234567890123456789') }),
      ];
      for (const answer of await Promise.all(attempts)) {
        const what = `${endpoint.path}: ${answer.status} ${answer.text.slice(0, 100)}`;
        assertOpen(answer, what);
        assert.ok(expected.includes(answer.status), what);
        if (answer.status === 200 && answer.text === '') continue; // revocation
        assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, what);
        if (answer.status === 200) continue;
        // The management API has its own form, also below the registration endpoint's address.
        const { error_description: description, message = description } = JSON.parse(answer.text);
        assert.equal(typeof message, 'string', what);
        assert.equal(answer.headers.get('cache-control'), 'no-store', what);
        if (answer.status === 405) assert.ok(answer.headers.get('allow'), what);
        if (answer.status === 503) assert.ok(Number(answer.headers.get('retry-after')) > 0, what);
        assert.doesNotMatch(answer.text, /bug|away|at .*\.ts/, what);
      }
    }
  }
  trouble.error = undefined;
});

test('nothing else can be read by a foreign page: no CORS headers on preflights, answers or errors (AS-137)', async () => {
  for (const endpoint of closed()) {
    for (const verb of ['OPTIONS', endpoint.method, 'PUT']) {
      const answer = await call(endpoint, {
        verb,
        headers: { 'access-control-request-method': endpoint.method },
      });
      const names = [...answer.headers.keys()].filter((name) => name.startsWith('access-control'));
      assert.deepEqual(names, [], `${verb} ${endpoint.path}`);
      if (verb === 'OPTIONS') assert.ok(answer.status >= 400, endpoint.path);
    }
  }
});

test('HEAD is GET without a body where GET is, and 405 elsewhere (AS-1, AS-84)', async () => {
  for (const endpoint of open()) {
    const head = await call(endpoint, { verb: 'HEAD' });
    assert.equal(head.text, '');
    const get = await call(endpoint, { verb: 'GET' });
    assert.equal(head.status, get.status, endpoint.path);
    assertOpen(head, endpoint.path);
    if (endpoint.method === 'POST')
      assert.deepEqual([head.status, head.headers.get('allow')], [405, 'POST']);
  }
});

/** A request as written, which fetch would correct. */
async function raw(path: string, headers: Record<string, string | string[]>): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { hostname, port } = new URL(gatewarden.url);
  const call = request({ host: hostname, port, path, method: 'POST', headers }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: new Headers(
          Object.entries(response.headers).map(([name, value]): [string, string] => [
            name,
            String(value),
          ]),
        ),
        text: Buffer.concat(chunks).toString(),
      }),
    );
  });
  call.on('error', reject);
  call.end('grant_type=client_credentials');
  return await promise;
}

test('an unknown Host gets 404 without content, also with a path that cannot be decoded (AS-5)', async () => {
  for (const path of ['/keys', '/%zz', '/resources/%E0%A4%A/oauth/token', `/${'x'.repeat(2000)}`]) {
    const answer = await raw(path, { host: 'evil.example' });
    assert.deepEqual([answer.status, answer.text], [404, ''], path);
  }
});

test('two Authorization headers are two ways to authenticate: 400 (AS-86, credential confusion)', async () => {
  const { host } = new URL(gatewarden.url);
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect']) {
    const answer = await raw(path, {
      host,
      'content-type': FORM,
      authorization: [basic('m2m_1:a'), basic('m2m_2:b')],
    });
    assert.equal(answer.status, 400, path);
    assert.equal(JSON.parse(answer.text)['error'], 'invalid_request', path);
  }
});
