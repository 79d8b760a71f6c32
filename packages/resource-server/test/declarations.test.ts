import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigurationError,
  type GuardEvent,
  type McpServerOptions,
  protectMcp,
} from '../src/index.ts';
import { resourceId, siblingId, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

const valid: McpServerOptions = {
  environmentUrl: 'https://auth.example.com',
  resourceId,
  serverUrl: 'https://mcp.example.com/mcp',
};

test('a declaration that cannot work stops the start and names the option (RS-2, RS-19)', () => {
  const cases: [Partial<McpServerOptions> & object, string][] = [
    [{ audiences: [] }, 'missing_audience'],
    [{ audiences: [''] }, 'missing_audience'],
    [{ environmentUrl: undefined }, 'missing_issuer'],
    [{ environmentUrl: undefined, resourceId: undefined }, 'missing_issuer'],
    [{ environmentUrl: 'http://auth.example.com' }, 'invalid_url'],
    [{ environmentUrl: 'https://user:pw@auth.example.com' }, 'invalid_url'],
    [{ environmentUrl: 'auth.example.com' }, 'invalid_url'],
    [{ resourceId: 'res_1/../res_2' }, 'invalid_resource_id'],
    [{ resourceId: '' }, 'invalid_resource_id'],
    [{ serverUrl: '/mcp' }, 'invalid_url'],
    [{ serverUrl: 'https://mcp.example.com/mcp?x=1' }, 'invalid_url'],
    [{ serverUrl: 'https://mcp.example.com/mcp#x' }, 'invalid_url'],
    [{ jwksUri: 'http://auth.example.com/keys' }, 'invalid_url'],
    [{ issuers: [{ issuer: 'https://auth.example.com' }] }, 'duplicate_issuer'],
    [{ issuers: [{ issuer: 'http://idp.example' }] }, 'invalid_url'],
    [{ algorithms: [] }, 'invalid_option'],
    [{ algorithms: ['none'] }, 'invalid_option'],
    [{ algorithms: ['HS256'] }, 'invalid_option'],
    [{ clockSkewSeconds: 301 }, 'invalid_option'],
    [{ clockSkewSeconds: Number.NaN }, 'invalid_option'],
    [{ maxBodyBytes: 0 }, 'invalid_option'],
    [{ keys: {} }, 'invalid_option'],
    [{ metadata: '{' }, 'invalid_metadata'],
    [{ metadata: { resource: 'https://mcp.example.com/mcp' } }, 'invalid_metadata'],
    [{ metadata: { authorization_servers: ['https://auth.example.com'] } }, 'invalid_metadata'],
    [
      { metadata: { resource: 'x', authorization_servers: ['http://auth.example.com'] } },
      'invalid_metadata',
    ],
    [{ tools: { x: 'two scopes' } }, 'unknown_scope'],
    [{ scopes: ['a'], baseScopes: ['b'] }, 'unknown_scope'],
    [{ methods: { 'tools/call': [] } }, 'invalid_option'],
    [{ defaultPolicy: 'permit' }, 'invalid_option'],
    [{ allowedOrigins: ['https://app.example.com/path'] }, 'invalid_option'],
    [{ publicPaths: ['health'] }, 'invalid_option'],
    [{ publicPaths: ['/a/../b'] }, 'invalid_option'],
    [{ publicPaths: ['/a%2fb'] }, 'invalid_option'],
    [{ publicPaths: ['/a;b'] }, 'invalid_option'],
    [{ publicPaths: ['//a'] }, 'invalid_option'],
  ].map(([change, code]) => [change as Partial<McpServerOptions>, String(code)]);
  for (const [change, code] of cases) {
    const options = Object.fromEntries(
      Object.entries({ ...valid, ...change }).filter(([, value]) => value !== undefined),
    );
    assert.throws(
      () => protectMcp(options as McpServerOptions),
      (error) => error instanceof ConfigurationError && error.code === code,
      JSON.stringify(change),
    );
  }
  assert.throws(() => protectMcp([]), ConfigurationError);
});

test('metadata that clients will refuse is warned about at start (RS-3)', () => {
  const warningsOf = (change: Partial<McpServerOptions>): string[] => {
    const events: GuardEvent[] = [];
    protectMcp({ ...valid, ...change, log: (event) => events.push(event) });
    return events.map(({ message }) => message);
  };
  assert.deepEqual(warningsOf({}), []);
  assert.deepEqual(warningsOf({ resource: 'https://mcp.example.com' }), []);
  assert.match(
    warningsOf({ resource: 'https://mcp.example.com/m' }).join(),
    /not the URL of the endpoint/,
  );
  assert.match(
    warningsOf({ resource: 'http://mcp.example.com/mcp' }).join(),
    /not the URL of the endpoint/,
  );
  assert.match(warningsOf({ audiences: [resourceId] }).join(), /not an accepted audience/);
  const metadata = {
    resource: 'https://other.example.com/mcp',
    authorization_servers: [`https://auth.example.com/resources/${resourceId}`],
  };
  assert.match(
    warningsOf({ metadata, resource: 'https://mcp.example.com/mcp' }).join(),
    /not the URL of the endpoint.*not an accepted audience/,
  );
  assert.match(
    warningsOf({ serverUrl: 'http://mcp.example.com/mcp' }).join(),
    /neither https nor loopback/,
  );
});

test('metadata copied as text is served as it is, and its resource is the audience (RS-2, RS-3)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const document = {
    resource: 'http://localhost:3333',
    authorization_servers: [`${issuer.url}/resources/${resourceId}`],
    custom: true,
  };
  const server = await startGuarded(t, declaration(issuer, { metadata: JSON.stringify(document) }));
  const answer = await server.send({ path: '/.well-known/oauth-protected-resource/mcp' });
  assert.deepEqual(JSON.parse(answer.text), document);
  assert.equal(
    (await server.send({ token: await issuer.token({ aud: document.resource }) })).status,
    200,
  );
});

test('an environment URL with a slash is the same environment (RS-18)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { environmentUrl: `${issuer.url}/` }));
  assert.equal((await server.send({ token: await issuer.token() })).status, 200);
});

test('several servers in one process: own metadata, audience and scope map by path (RS-1, RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, [
    declaration(issuer),
    declaration(issuer, {
      resourceId: siblingId,
      serverUrl: 'http://localhost:3333/notes',
      tools: { list_todos: 'notes:read' },
    }),
  ]);
  const resourceAt = async (path: string): Promise<unknown> => {
    const { text } = await server.send({ path: `/.well-known/oauth-protected-resource${path}` });
    return JSON.parse(text).resource;
  };
  assert.equal(await resourceAt(''), 'http://localhost:3333/mcp');
  assert.equal(await resourceAt('/mcp'), 'http://localhost:3333/mcp');
  assert.equal(await resourceAt('/notes'), 'http://localhost:3333/notes');

  const token = await issuer.token({ aud: [siblingId] });
  const refused = await server.send({ path: '/notes', token, body: toolCall('list_todos') });
  assert.deepEqual([refused.status, challengeOf(refused)['scope']], [403, 'notes:read']);
  assert.match(challengeOf(refused)['resource_metadata'] ?? '', /\/notes$/);
});

test('the root document is that of the server at the root, where there is one (RS-1, RS-14, RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, [
    declaration(issuer),
    declaration(issuer, { resourceId: siblingId, serverUrl: 'http://localhost:3333/' }),
  ]);
  const refused = await server.send({ path: '/' });
  const { pathname } = new URL(challengeOf(refused)['resource_metadata'] ?? '');
  const { text } = await server.send({ path: pathname });
  assert.equal(JSON.parse(text).resource, 'http://localhost:3333/');
});

test('two servers that would share a metadata address stop the start (RS-1, RS-55)', () => {
  const at = (host: string, path: string): McpServerOptions => ({
    ...valid,
    serverUrl: `https://${host}/mcp`,
    path,
  });
  assert.throws(
    () => protectMcp([at('a.example.com', '/a/mcp'), at('b.example.com', '/b/mcp')]),
    (error) => error instanceof ConfigurationError && error.code === 'duplicate_path',
  );
});

test('beside other servers a path must be exactly one of theirs, whatever a router would make of it (RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, [
    declaration(issuer, { extraPaths: ['/messages'] }),
    declaration(issuer, { resourceId: siblingId, serverUrl: 'http://localhost:3333/mcp/admin' }),
  ]);
  const token = await issuer.token();
  for (const path of [
    '/MCP/ADMIN',
    '/mcp/ADMIN',
    '/mcp/%61dmin',
    '/mcp//admin',
    '/mcp/x/../admin',
    '/mcp/admin//',
    '/mcp;x/admin',
    '/mcp\\admin',
    '/other',
    '/',
  ]) {
    assert.equal((await server.send({ path, token })).status, 404, path);
  }
  assert.deepEqual(server.calls, []);
  for (const path of ['/mcp', '/mcp/', '/mcp?x=/mcp/admin', '/messages']) {
    assert.equal((await server.send({ path, token })).status, 200, path);
  }
  assert.equal((await server.send({ path: '/mcp/admin', token })).status, 401);
  assert.throws(
    () => protectMcp([valid, { ...valid, serverUrl: 'https://mcp.example.com/MCP/' }]),
    (error) => error instanceof ConfigurationError && error.code === 'duplicate_path',
  );
});
