import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigurationError,
  guardFetch,
  type McpServerOptions,
  protectMcp,
  readToolScopeMap,
} from '../src/index.ts';
import { resourceId, scopeClaims, serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';
import { heapUsed } from '../src/testing/heap-used.ts';

const valid = { environmentUrl: 'https://auth.example.com', resourceId, serverUrl };

/** A declaration as JavaScript may write it, without a compiler that looks at it. */
function unchecked(options: unknown): McpServerOptions {
  return options as McpServerOptions;
}

test('a rule of the wrong form stops the start: it would need nothing of anybody (RS-2, RS-35)', () => {
  const rules: unknown[] = [
    true,
    null,
    7,
    {},
    { required: ['todo:write'] },
    { any_of: ['todo:write'] },
    { all: ['todo:write'], any_of: ['x'] },
    { all: 'todo:write' },
    { anyOf: 'todo:write' },
    { anyOf: [[]] },
    { anyOf: [['todo:write', 7]] },
    Promise.resolve('todo:write'),
    new Set(['todo:write']),
    ['todo:write', ['todo:read']],
    '',
  ];
  for (const rule of rules) {
    for (const place of [{ tools: { x: rule } }, { methods: { 'resources/read': rule } }]) {
      assert.throws(
        () => protectMcp(unchecked({ ...valid, ...place })),
        (error) => error instanceof ConfigurationError,
        JSON.stringify(place),
      );
    }
  }
  for (const rule of [[], false, 'a', ['a', 'b'], { all: ['a'] }, { anyOf: ['a', ['b']] }]) {
    protectMcp(unchecked({ ...valid, tools: { x: rule } }));
  }
});

test('misspelled options and values of another kind stop the start (RS-2)', () => {
  const cases: unknown[] = [
    { defaultpolicy: 'deny' },
    { tool: { x: 'a' } },
    { audience: ['https://mcp.example.com/mcp'] },
    { tools: new Map([['x', 'a']]) },
    { tools: [['x', 'a']] },
    { tools: 'a' },
    { methods: new Map() },
    { baseScopes: 'todo:read' },
    { scopes: 'todo:read' },
    { allowUntyped: 'false' },
    { checkOrigin: 0 },
    { wildcardScopes: 'no' },
    { challengeIncludesGranted: 1 },
    { refuseLaterBatches: 'false' },
    { realm: 7 },
    { name: {} },
    { documentationUrl: 7 },
    { resource: 7 },
    { audiences: 'https://mcp.example.com/mcp' },
    { publicPaths: '/health' },
    { allowedOrigins: 'https://app.example.com' },
    { allowedHosts: 'mcp.example.com' },
    { impliedScopes: { admin: 'todo:read' } },
    { impliedScopes: { admin: ['two scopes'] } },
    { issuers: [{ issuer: 'https://idp.example', allowUntyped: 'false' }] },
    { issuers: [{ issuer: 'https://idp.example', audience: ['x'] }] },
    { now: 7 },
  ];
  for (const change of cases) {
    assert.throws(
      () => protectMcp(unchecked({ ...valid, ...(change as object) })),
      (error) => error instanceof ConfigurationError,
      JSON.stringify(change),
    );
  }
  assert.throws(() => protectMcp(unchecked(undefined)), ConfigurationError);
  protectMcp(unchecked({ ...valid, name: undefined, tools: undefined }));
});

test('the endpoint itself can be no public path, in no spelling a router may take for it (RS-7)', () => {
  for (const path of ['/mcp', '/mcp/', '/MCP', '/Mcp/', '/messages/']) {
    assert.throws(
      () => protectMcp({ ...valid, extraPaths: ['/messages'], publicPaths: [path] }),
      (error) => error instanceof ConfigurationError && error.code === 'invalid_option',
      path,
    );
  }
});

test('a tool that a map in JSON names twice stops the start (RS-35)', () => {
  assert.throws(
    () => readToolScopeMap('{"tools":{"x":{"required":["admin"]},"x":{"required":[]}}}'),
    (error) => error instanceof ConfigurationError && error.code === 'invalid_tool_map',
  );
  assert.throws(() => readToolScopeMap({ tools: { x: { any_of: [[]] } } }), ConfigurationError);
});

test('a rule function that answers wrongly or throws ends in 500, and the process goes on (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const tools = unchecked({
    tools: {
      later: async () => 'todo:write',
      nothing: () => undefined,
      yes: () => true,
      unknown: () => 'not a scope',
      broken: ({ auth }: { auth: { token: string } }) => {
        throw new Error(`cannot decide for ${auth.token}`);
      },
    },
  }).tools;
  const server = await startGuarded(t, declaration(issuer, tools ? { tools } : {}));
  const token = await issuer.token(scopeClaims('todo:read todo:write'));
  for (const name of Object.keys(tools ?? {})) {
    const answer = await server.send({
      token,
      body: toolCall(name),
      headers: [['Origin', 'http://localhost:6274']],
    });
    assert.equal(answer.status, 500, name);
    assert.equal(JSON.parse(answer.text).error, 'server_error');
    assert.equal(answer.headers['access-control-allow-origin'], 'http://localhost:6274');
    assert.equal(answer.headers['www-authenticate'], undefined);
  }
  assert.deepEqual(server.calls, []);
  const told = server.events.filter(({ event }) => event === 'decision_failed');
  assert.equal(told.length, Object.keys(tools ?? {}).length);
  assert.match(told.at(-1)?.message ?? '', /cannot decide for \[token\]/);
  assert.ok(!JSON.stringify(server.events).includes(token), 'RS-29');

  const fetched = await guardFetch(protectMcp(declaration(issuer, tools ? { tools } : {})), () =>
    assert.fail('reached'),
  )(
    new Request(serverUrl, {
      method: 'POST',
      body: toolCall('broken'),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    }),
  );
  assert.equal(fetched.status, 500);
});

test('scopes a rule makes up from arguments leave nothing behind (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const tools: McpServerOptions['tools'] = {
    open: ({ arguments: args }) => `project:${JSON.stringify(args).replace(/[^a-z0-9]/g, '')}`,
  };
  const guard = protectMcp(declaration(issuer, { tools }));
  const token = await issuer.token();
  const call = async (n: number): Promise<void> => {
    const decision = await guard.decide({
      method: 'POST',
      target: '/mcp',
      header: (name) =>
        ({
          host: ['localhost'],
          authorization: [`Bearer ${token}`],
          'content-type': ['application/json'],
        })[name] ?? [],
      body: async () => ({
        kind: 'parsed',
        value: JSON.parse(toolCall('open', { id: `${n}`.padStart(200, 'p') })),
      }),
      hasBody: true,
      localAddress: undefined,
    });
    assert.ok(decision.kind === 'respond' && decision.status === 403);
  };
  for (let n = 0; n < 500; n += 1) await call(n);
  const before = heapUsed();
  for (let n = 500; n < 8_500; n += 1) await call(n);
  const grown = heapUsed() - before;
  assert.ok(grown < 1_000_000, `${grown} bytes for 8,000 scopes of 0.2 KB`);
});
