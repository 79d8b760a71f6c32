import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError, defineMcpServer, protectMcp, readToolScopeMap } from '../src/index.ts';
import { type FakeIssuer, scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import {
  challengeOf,
  declaration,
  type Guarded,
  startGuarded,
  toolCall,
} from '../src/testing/guarded-server.ts';

async function statusOf(
  issuer: FakeIssuer,
  server: Guarded,
  scope: string,
  body: string,
): Promise<number> {
  return (await server.send({ token: await issuer.token(scopeClaims(scope)), body })).status;
}

function method(name: string, params: unknown = {}): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: name, params });
}

test('a missing scope is 403 with all scopes the call needs in one challenge (RS-39)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const tools = { move_todo: ['todo:read', 'todo:write', 'todo:move'] };
  const server = await startGuarded(t, declaration(issuer, { tools }));

  const answer = await server.send({ token: await issuer.token(), body: toolCall('move_todo') });

  assert.equal(answer.status, 403);
  assert.deepEqual(challengeOf(answer), {
    error: 'insufficient_scope',
    error_description: 'Required scope: todo:read todo:write todo:move',
    scope: 'todo:read todo:write todo:move',
    resource_metadata: 'http://localhost:3333/.well-known/oauth-protected-resource/mcp',
  });
  assert.deepEqual(JSON.parse(answer.text), {
    error: 'insufficient_scope',
    error_description: 'Required scope: todo:read todo:write todo:move',
    scope: 'todo:read todo:write todo:move',
  });
  assert.deepEqual(server.calls, []);
});

test('the challenge can repeat what is granted already (RS-40)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { challengeIncludesGranted: true }));
  const answer = await server.send({ token: await issuer.token(), body: toolCall('add_todo') });
  assert.equal(challengeOf(answer)['scope'], 'todo:read todo:write');
  assert.equal(challengeOf(answer)['error_description'], 'Required scope: todo:write');
});

test('alternatives: any one set is enough, and the nearest is asked for (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const tools = { export: { all: ['todo:read'], anyOf: [['file:read', 'file:write'], 'admin'] } };
  const server = await startGuarded(t, declaration(issuer, { tools }));
  const body = toolCall('export');

  assert.equal(await statusOf(issuer, server, 'todo:read admin', body), 200);
  assert.equal(await statusOf(issuer, server, 'todo:read file:read file:write', body), 200);
  assert.equal(await statusOf(issuer, server, 'admin', body), 403);
  const near = await server.send({ token: await issuer.token(scopeClaims('file:read x')), body });
  assert.equal(challengeOf(near)['scope'], 'todo:read file:read file:write');
});

test('unlisted tools follow the default: deny, base or allow (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const statuses: Record<string, number[]> = {};
  for (const defaultPolicy of [undefined, 'deny', 'base', 'allow'] as const) {
    const server = await startGuarded(
      t,
      declaration(issuer, { baseScopes: ['mcp'], ...(defaultPolicy ? { defaultPolicy } : {}) }),
    );
    statuses[String(defaultPolicy)] = [
      await statusOf(issuer, server, 'mcp', toolCall('unlisted')),
      await statusOf(issuer, server, 'other', toolCall('unlisted')),
    ];
  }
  assert.deepEqual(statuses, {
    undefined: [200, 403],
    deny: [403, 403],
    base: [200, 403],
    allow: [200, 200],
  });
});

test('a listed tool needs the base scopes beside its own, and the challenge names all (RS-35, RS-39)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { baseScopes: ['mcp'] }));
  const body = toolCall('list_todos');
  assert.equal(await statusOf(issuer, server, 'todo:read mcp', body), 200);
  const refused = await server.send({ token: await issuer.token(), body });
  assert.deepEqual([refused.status, challengeOf(refused)['scope']], [403, 'mcp todo:read']);
});

test('a denied tool is 403 without a scope challenge, so that no client asks for more (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { tools: { wipe: false } }));
  const answer = await server.send({ token: await issuer.token(), body: toolCall('wipe') });
  assert.deepEqual([answer.status, answer.headers['www-authenticate']], [403, undefined]);
  assert.equal(JSON.parse(answer.text).error, 'access_denied');
});

test('tool names are exact, and names of JavaScript members are names like others (RS-45)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { defaultPolicy: 'deny' }));
  for (const name of [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'LIST_TODOS',
    'list_todos ',
    ' list_todos',
    'list_todos\u0000',
    'list_todo\u017f',
    'list_todos\u202e',
    '\u202dlist_todos',
    'list\u200b_todos',
    'l\u0456st_todos',
    'list_todos\ud800',
    'ｌist_todos',
    '',
  ]) {
    assert.equal(
      await statusOf(issuer, server, 'todo:read', toolCall(name)),
      403,
      JSON.stringify(name),
    );
  }
  assert.equal(await statusOf(issuer, server, 'todo:read', toolCall('list_todos')), 200);
});

test('a rule may depend on the arguments and on the caller (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, {
    tools: {
      delete_todo: ({ arguments: args, auth }) => {
        if (typeof args !== 'object' || args === null || !('all' in args)) return 'todo:write';
        return args.all === true && auth.extra.subject === 'usr_1'
          ? ['todo:write', 'todo:purge']
          : false;
      },
    },
  });
  const server = await startGuarded(t, options);
  const scope = 'todo:write';
  assert.equal(await statusOf(issuer, server, scope, toolCall('delete_todo', { id: 1 })), 200);
  assert.equal(await statusOf(issuer, server, scope, toolCall('delete_todo', { all: true })), 403);
  assert.equal(await statusOf(issuer, server, scope, toolCall('delete_todo', { all: false })), 403);
  assert.equal(
    await statusOf(issuer, server, `${scope} todo:purge`, toolCall('delete_todo', { all: true })),
    200,
  );
});

test('methods without a rule need a token and the base scopes; others have rules (RS-35, RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, {
      baseScopes: ['mcp'],
      methods: {
        'resources/read': 'file:read',
        'prompts/get': ({ params }) => (params['name'] === 'secret' ? ['mcp', 'secret'] : []),
      },
    }),
  );
  for (const name of [
    'initialize',
    'ping',
    'server/discover',
    'tools/list',
    'notifications/initialized',
  ]) {
    assert.equal(await statusOf(issuer, server, 'mcp', method(name)), 200, name);
    assert.equal(await statusOf(issuer, server, 'other', method(name)), 403, name);
  }
  assert.equal(
    await statusOf(issuer, server, 'mcp', method('resources/read', { uri: 'x:y' })),
    403,
  );
  assert.equal(
    await statusOf(issuer, server, 'mcp file:read', method('resources/read', { uri: 'x:y' })),
    200,
  );
  assert.equal(await statusOf(issuer, server, 'mcp', method('prompts/get', { name: 'open' })), 200);
  assert.equal(
    await statusOf(issuer, server, 'mcp', method('prompts/get', { name: 'secret' })),
    403,
  );
  const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} });
  assert.equal(await statusOf(issuer, server, 'mcp', answer), 200);
  assert.equal(await statusOf(issuer, server, 'other', answer), 403);
  for (const verb of ['GET', 'DELETE', 'HEAD']) {
    const token = await issuer.token(scopeClaims('other'));
    assert.equal((await server.send({ method: verb, token })).status, 403, verb);
  }
});

test('higher scopes include lower ones where the declaration says so (RS-41)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const plain = await startGuarded(t, declaration(issuer));
  const mapped = await startGuarded(
    t,
    declaration(issuer, {
      impliedScopes: { admin: ['todo:write'], 'todo:write': ['todo:read'], 'todo:read': ['admin'] },
    }),
  );
  const oneWay = await startGuarded(
    t,
    declaration(issuer, { impliedScopes: { 'todo:write': ['todo:read'] }, wildcardScopes: true }),
  );
  assert.equal(await statusOf(issuer, plain, 'todo:write', toolCall('list_todos')), 403);
  assert.equal(await statusOf(issuer, plain, 'todo:*', toolCall('list_todos')), 403);
  assert.equal(await statusOf(issuer, mapped, 'admin', toolCall('list_todos')), 200);
  assert.equal(await statusOf(issuer, oneWay, 'todo:read', toolCall('add_todo')), 403);
  assert.equal(await statusOf(issuer, oneWay, 'todo:*', toolCall('add_todo')), 200);
  assert.equal(await statusOf(issuer, oneWay, 'todos:*', toolCall('add_todo')), 403);
  assert.equal(await statusOf(issuer, oneWay, '*', toolCall('add_todo')), 403);
});

test('a tool map from a file denies what it does not list and refuses unknown keys (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const map = readToolScopeMap(
    '{"tools":{"list_todos":{"required":["todo:read"]},"export":{"any_of":[["a","b"],"c"]}}}',
  );
  const server = await startGuarded(t, declaration(issuer, map));
  assert.equal(await statusOf(issuer, server, 'todo:read', toolCall('list_todos')), 200);
  assert.equal(await statusOf(issuer, server, 'c', toolCall('export')), 200);
  assert.equal(await statusOf(issuer, server, 'a', toolCall('export')), 403);
  assert.equal(await statusOf(issuer, server, 'todo:read', toolCall('unlisted')), 403);
  assert.equal(readToolScopeMap({ tools: {}, default: 'allow' }).defaultPolicy, 'allow');
  for (const wrong of [
    '{',
    {},
    { tools: {}, defualt: 'deny' },
    { tools: { x: { require: ['a'] } } },
    { tools: { x: { required: [1] } } },
    { tools: { x: { any_of: [] } } },
    { tools: {}, default: 'maybe' },
  ]) {
    assert.throws(
      () => readToolScopeMap(wrong),
      (error) => error instanceof ConfigurationError && error.code === 'invalid_tool_map',
    );
  }
});

test('rules may only use declared scopes, for the compiler and at start (RS-35)', () => {
  const options = defineMcpServer({
    environmentUrl: 'https://auth.example.com',
    resourceId: 'res_1',
    serverUrl: 'https://mcp.example.com/mcp',
    scopes: { 'todo:read': { class: 'see' }, 'todo:write': { class: 'change' } },
    // @ts-expect-error todo:raed is not declared
    tools: { list_todos: 'todo:raed' },
  });
  assert.throws(
    () => protectMcp(options),
    (error) => error instanceof ConfigurationError && error.code === 'unknown_scope',
  );
});
