import assert from 'node:assert/strict';
import type http from 'node:http';
import { test } from 'node:test';
import { send } from './test-edge.ts';
import { startManagement } from './test-management.ts';

type Json = Record<string, never>;
type Reply = { status: number; json: Json; headers: http.IncomingHttpHeaders };

const good = { authorization: 'Bearer good' };
const json = { ...good, 'content-type': 'application/json' };

function caller(port: number) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: http.OutgoingHttpHeaders = body === undefined ? good : json,
  ): Promise<Reply> => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await send(port, method, path, headers, text);
    return {
      status: answer.status,
      json: answer.body === '' ? ({} as Json) : JSON.parse(answer.body),
      headers: answer.headers,
    };
  };
}

test('REST reaches the implementation of gRPC: snake_case out, 201 for creates, {} for nothing', async (t) => {
  const call = caller((await startManagement(t)).port);
  const role = await call('GET', '/api/v1/roles/admin?include=permissions');
  assert.equal(role.status, 200);
  assert.deepEqual(role.json, {
    role: {
      id: 'env_1',
      name: 'admin',
      display_name: 'permissions',
      description: 'skc_1 https://auth.example.com ',
    },
  });
  const created = await call('POST', '/api/v1/roles', { name: 'editor', display_name: 'Editor' });
  assert.deepEqual(
    [created.status, created.json],
    [201, { role: { name: 'editor', display_name: 'Editor' } }],
  );
  const camel = await call('POST', '/api/v1/roles', {
    name: 'editor',
    displayName: 'Camel',
    unknown_member: 1,
  });
  assert.equal((camel.json as { role?: Json }).role?.['display_name'], 'Camel');
  assert.deepEqual(
    [(await call('DELETE', '/api/v1/roles/x?reassign_role_name=editor')).json],
    [{}],
  );
  assert.equal((await call('HEAD', '/api/v1/roles/admin')).status, 200);
  assert.equal((await call('GET', '/api/v1/roles/admin/')).status, 200);
});

test('path variables may hold colons and escapes, and custom verbs are not taken for ids', async (t) => {
  const call = caller((await startManagement(t)).port);
  const name = async (path: string): Promise<unknown> =>
    ((await call('GET', path)).json as { permission?: Json }).permission?.['name'];
  assert.equal(await name('/api/v1/permissions/read:users'), 'read:users');
  assert.equal(await name('/api/v1/permissions/read%3Ausers'), 'read:users');
  assert.deepEqual((await call('GET', '/api/v1/roles/admin/users:count')).json, {});
  assert.equal((await call('GET', '/api/v1/roles/admin/users:other')).status, 404);
  assert.equal((await call('GET', '/api/v1/permissions/%ff')).status, 400);
  assert.equal((await call('GET', '/api/v1/permissions/a%00b')).status, 400);
});

test('query parameters are typed, may be nested and repeated, and unknown ones are refused', async (t) => {
  const call = caller((await startManagement(t)).port);
  const listed = await call('GET', '/api/v1/permissions?page_size=7&type=ENVIRONMENT');
  assert.deepEqual(listed.json, { permissions: [{ name: '7 2' }] });
  assert.deepEqual((await call('GET', '/api/v1/permissions?pageSize=7&type=2')).json, {
    permissions: [{ name: '7 2' }],
  });
  assert.deepEqual(
    (await call('GET', '/api/v1/clients?filter.client_type=SPA&filter.client_type=NTV')).json,
    {
      clients: [{ id: 'SPA' }, { id: 'NTV' }],
    },
  );
  for (const query of [
    'nothing=1',
    'page_size=many',
    'page_size=1&page_size=2',
    'page_size=%zz',
    '__proto__.x=1',
    'constructor=1',
    'page_size.x=1',
  ]) {
    const answer = await call('GET', `/api/v1/permissions?${query}`);
    assert.deepEqual([query, answer.status, answer.json['code']], [query, 400, 3]);
  }
  assert.equal(
    (await call('GET', '/api/v1/roles/admin?role_name=other')).status,
    400,
    'the path has it already',
  );
  assert.equal(
    (await call('POST', '/api/v1/roles?role.name=other', { name: 'a', display_name: 'A' })).status,
    400,
    'the body has it already',
  );
});

test('a PATCH changes the members it sends, empty ones included', async (t) => {
  const call = caller((await startManagement(t)).port);
  const patched = await call('PATCH', '/api/v1/resources/res_1', {
    name: 'New',
    description: '',
    logo_uri: '',
  });
  assert.deepEqual(patched.json, {
    resource: {
      id: 'res_1',
      name: 'New',
      scopes: [{ name: 'name' }, { name: 'description' }, { name: 'logo_uri' }],
    },
  });
  assert.equal(
    (await call('PATCH', '/api/v1/resources/res_1?update_mask=name,resource_uri', { name: 'x' }))
      .status,
    200,
  );
});

test('bodies: JSON only, empty where nothing is needed, 64-bit numbers as strings, never a prototype', async (t) => {
  const { port } = await startManagement(t);
  const call = caller(port);
  const client = await call(
    'POST',
    '/api/v1/resources/res_1/clients',
    '{"name":"x","expiry":"9007199254740993"}',
  );
  assert.deepEqual(
    [client.status, client.json],
    [201, { client: { name: 'x', expiry: '9007199254740993' } }],
  );
  assert.equal((await call('DELETE', '/api/v1/roles/x?reassign_role_name=editor', {})).status, 200);
  for (const body of [
    '{"name":',
    '{"__proto__":{"name":"x"}}',
    '[1]',
    '"x"',
    '7',
    '{"name":7}',
    `{"name":${'['.repeat(50_000)}`,
  ]) {
    const answer = await call('POST', '/api/v1/roles', body);
    assert.deepEqual(
      [body.slice(0, 20), answer.status, answer.json['code']],
      [body.slice(0, 20), 400, 3],
    );
  }
  assert.equal(
    (
      await call('POST', '/api/v1/roles', 'name=x', {
        ...good,
        'content-type': 'application/x-www-form-urlencoded',
      })
    ).status,
    400,
  );
  const large = await call('POST', '/api/v1/roles', { name: 'x'.repeat(300_000) });
  assert.deepEqual([large.status, large.json['code']], [413, 3]);
  assert.equal(({} as { name?: string }).name, undefined);
});

test('errors have one shape with code, message and ErrorInfo (contract: error model)', async (t) => {
  const call = caller((await startManagement(t)).port);
  const anonymous = await call('GET', '/api/v1/roles/admin', undefined, {});
  assert.equal(anonymous.status, 401);
  const { details, ...rest } = anonymous.json as unknown as {
    details: [{ '@type': string; error_code: string; request_info: { request_id: string } }];
  };
  assert.deepEqual(rest, { code: 16, message: 'Token empty' });
  assert.equal(details[0]['@type'], 'type.googleapis.com/scalekit.v1.errdetails.ErrorInfo');
  assert.equal(details[0].error_code, 'UNAUTHENTICATED');
  assert.match(details[0].request_info.request_id, /^req_/);
  const table = [
    ['GET', '/api/v1/roles/missing', 404, 5, 'ROLE_NOT_FOUND'],
    ['GET', '/api/v1/roles/no-hyphens', 400, 3, 'VALIDATION_FAILED'],
    ['GET', '/api/v1/roles/bug', 500, 13, 'INTERNAL'],
    ['GET', '/api/v1/roles/down', 503, 14, 'TEMPORARILY_UNAVAILABLE'],
    ['GET', '/api/v1/roles/limited', 429, 8, 'RATE_LIMITED'],
    ['GET', '/api/v1/roles/x/dependents', 501, 12, 'NOT_IMPLEMENTED'],
    ['DELETE', '/api/v1/roles/x', 400, 9, 'ROLE_IN_USE'],
    ['GET', '/api/v1/agent-consents:this', 403, 7, 'PERMISSION_DENIED'],
    ['GET', '/api/v1/nothing', 404, 5, 'NOT_FOUND'],
    ['PUT', '/api/v1/roles', 405, 12, 'METHOD_NOT_ALLOWED'],
    ['POST', '/api/v1/resources/res_1/clients:register', 404, 5, 'NOT_FOUND'],
    ['GET', '/api/v1/resources/res_1/clients:register', 405, 12, 'METHOD_NOT_ALLOWED'],
  ] as const;
  for (const [method, path, status, code, errorCode] of table) {
    const answer = await call(method, path);
    const info = (answer.json as unknown as { details: { error_code: string }[] }).details[0];
    assert.deepEqual(
      [path, answer.status, answer.json['code'], info?.error_code],
      [path, status, code, errorCode],
    );
    assert.doesNotMatch(JSON.stringify(answer.json), /hunter2|10\.1\.2\.3/);
  }
  assert.equal((await call('PUT', '/api/v1/roles')).headers.allow, 'GET, HEAD, POST');
  assert.equal((await call('GET', '/api/v1/roles/limited')).headers['retry-after'], '7');
});

test('the REST API has no CORS headers (AS-137)', async (t) => {
  const { port } = await startManagement(t);
  for (const method of ['OPTIONS', 'GET']) {
    const answer = await send(port, method, '/api/v1/roles', {
      origin: 'https://evil.example',
      'access-control-request-method': 'GET',
    });
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
});
