import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type FakeIssuer,
  resourceId,
  scopeClaims,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import { toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type Demo, demoScopes, demoTools, startDemo } from '../src/index.ts';

async function start(t: TestContext, issuer: FakeIssuer): Promise<Demo> {
  const demo = await startDemo({
    environmentUrl: issuer.url,
    resourceId,
    port: 0,
    now: () => issuer.clock.now,
  });
  t.after(() => demo.close());
  return demo;
}

async function connectAs(
  t: TestContext,
  issuer: FakeIssuer,
  demo: Demo,
  sub: string,
  scope: string,
): Promise<Client> {
  const token = await issuer.token({ sub, aud: resourceId, ...scopeClaims(scope) });
  const client = new Client({ name: 'test', version: '1.0.0' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(demo.url), {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }),
  );
  t.after(() => client.close());
  return client;
}

async function call(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<unknown> {
  const { content, isError } = await client.callTool({ name, arguments: args });
  assert.ok(Array.isArray(content));
  const [first] = content;
  return isError ? `error: ${first.text}` : JSON.parse(first.text);
}

test('a person works on their own to-dos through the official client', async (t) => {
  const issuer = await startFakeIssuer(t);
  const demo = await start(t, issuer);
  const ann = await connectAs(t, issuer, demo, 'usr_ann', 'todo:read todo:write');
  const bob = await connectAs(t, issuer, demo, 'usr_bob', 'todo:read todo:write');

  assert.deepEqual(
    (await ann.listTools()).tools.map(({ name }) => name).sort(),
    Object.keys(demoTools).sort(),
  );
  assert.deepEqual(await call(ann, 'add_todo', { title: ' Buy milk ' }), {
    id: 1,
    title: 'Buy milk',
    done: false,
  });
  assert.deepEqual(await call(ann, 'complete_todo', { id: 1 }), {
    id: 1,
    title: 'Buy milk',
    done: true,
  });
  assert.deepEqual(await call(ann, 'get_todo', { id: 1 }), {
    id: 1,
    title: 'Buy milk',
    done: true,
  });
  assert.deepEqual(await call(bob, 'list_todos'), []);
  assert.match(String(await call(bob, 'get_todo', { id: 1 })), /^error/);
  assert.match(String(await call(bob, 'delete_todo', { id: 1 })), /^error/);
  assert.deepEqual(await call(ann, 'delete_todo', { id: 1 }), { deleted: 1 });
  assert.deepEqual(await call(ann, 'list_todos'), []);
});

test('each writing tool needs todo:write and each reading one todo:read; the challenge keeps what is granted (RS-35, RS-40)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const demo = await start(t, issuer);
  const send = async (scope: string, tool: string): Promise<Response> =>
    fetch(demo.url, {
      method: 'POST',
      body: toolCall(tool, { id: 1, title: 'x' }),
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${await issuer.token({ aud: resourceId, ...scopeClaims(scope) })}`,
      },
    });
  for (const [tool, scope] of Object.entries(demoTools)) {
    assert.equal((await send('todo:read todo:write', tool)).status, 200, tool);
    assert.equal((await send('todo:read', tool)).status, scope === 'todo:read' ? 200 : 403, tool);
  }
  const refused = await send('todo:read', 'add_todo');
  assert.match(refused.headers.get('www-authenticate') ?? '', /scope="todo:read todo:write"/);
  assert.equal(
    (await send('todo:write', 'add_todo')).status,
    403,
    'everybody needs the base scope',
  );
  assert.equal((await send('todo:read todo:write', 'unlisted')).status, 403);
  assert.deepEqual(
    demoScopes.map(({ name, class: kind }) => [name, kind]),
    [
      ['todo:read', 'see'],
      ['todo:write', 'change'],
    ],
  );
});

test('without a token the demo says where to get one, and offers no stream without a session (RS-1, RS-11, RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const demo = await start(t, issuer);
  const refused = await fetch(demo.url, { method: 'POST', body: toolCall('list_todos') });
  const [, metadataUrl] =
    /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
  const metadata = await (await fetch(metadataUrl ?? '')).json();
  const stream = await fetch(demo.url, {
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${await issuer.token({ aud: resourceId })}`,
    },
  });

  assert.equal(refused.status, 401);
  assert.deepEqual(metadata, {
    resource: demo.url,
    authorization_servers: [`${issuer.url}/resources/${resourceId}`],
    bearer_methods_supported: ['header'],
    scopes_supported: ['todo:read', 'todo:write'],
    resource_name: 'Gatewarden demo: to-dos',
  });
  assert.equal(stream.status, 405);
});

test('a list is bounded, and closing ends the server at once', async (t) => {
  const issuer = await startFakeIssuer(t);
  const demo = await start(t, issuer);
  const client = await connectAs(t, issuer, demo, 'usr_ann', 'todo:read todo:write');
  for (let n = 1; n <= 100; n += 1) await call(client, 'add_todo', { title: `${n}` });
  assert.match(
    String(await call(client, 'add_todo', { title: 'one more' })),
    /^error: The list is full/,
  );

  await demo.close();
  await assert.rejects(fetch(demo.url));
});

test('a port that is taken is said at once', async (t) => {
  const issuer = await startFakeIssuer(t);
  const demo = await start(t, issuer);
  const port = Number(new URL(demo.url).port);
  await assert.rejects(startDemo({ environmentUrl: issuer.url, resourceId, port }), {
    code: 'EADDRINUSE',
  });
});
