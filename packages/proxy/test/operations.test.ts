import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { clientOf } from './client.ts';
import { startBytes, startInFront, startProxied } from './proxied.ts';

async function toolFile(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-tools-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'tools.yaml');
  await writeFile(path, text);
  return path;
}

test('tool scopes come from a file and are read again on demand; a wrong file changes nothing (RS-35)', async (t) => {
  const toolsFile = await toolFile(t, 'tools:\n  list_todos:\n    required: [todo:read]\n');
  const { proxy, send, issuer } = await startProxied(t, undefined, { toolsFile });
  const token = await issuer.token();
  const call = async (name: string): Promise<number> =>
    (await send({ body: toolCall(name), token })).status;
  assert.deepEqual(
    [await call('list_todos'), await call('add_todo')],
    [200, 403],
    'deny is the default',
  );

  await writeFile(
    toolsFile,
    'tools:\n  add_todo:\n    any_of: [[todo:write], [todo:read]]\ndefault: deny\n',
  );
  assert.deepEqual(await proxy.reload(), { kind: 'ok' });
  assert.deepEqual([await call('list_todos'), await call('add_todo')], [403, 200]);

  const wrong = [
    'tools: [',
    'tools: {}\nunknown: 1',
    'tools: {}\ndefault: open',
    'tools:\n  a: {required: todo:read}\n  a: {required: todo:write}',
    'tools: {a: {required: "two words"}}',
    '',
  ];
  for (const text of wrong) {
    await writeFile(toolsFile, text);
    assert.equal((await proxy.reload()).kind, 'kept', text);
  }
  await rm(toolsFile);
  assert.equal((await proxy.reload()).kind, 'kept');
  assert.deepEqual([await call('list_todos'), await call('add_todo')], [403, 200]);
});

test('a session keeps its owner when the tool file is read again (RS-48)', async (t) => {
  const toolsFile = await toolFile(t, 'tools: {}\ndefault: allow\n');
  const { proxy, send, issuer } = await startProxied(
    t,
    (_request, response) => response.setHeader('mcp-session-id', 'session-1').end(),
    { toolsFile },
  );
  const body = toolCall('list_todos');
  await send({ body, token: await issuer.token() });
  await proxy.reload();
  const headers = [['Mcp-Session-Id', 'session-1']] as const;

  const stolen = await send({ body, headers, token: await issuer.token({ client_id: 'skc_2' }) });

  assert.equal(stolen.status, 404);
  assert.equal((await send({ body, headers, token: await issuer.token() })).status, 200);
});

test('the access log has a line for each request with caller, tool and reason, and no token or argument (RS-29)', async (t) => {
  const { send, issuer, entries, logged } = await startProxied(t);
  const token = await issuer.token({ org_id: 'org_1' });
  const expired = await issuer.token({ exp: 1, jti: 'tkn_old', sub: 'usr_\u001b[31m' });

  await send({ body: toolCall('list_todos', { password: 'hunter2' }), token });
  await send({ body: toolCall(`add_todo\n${'x'.repeat(500)}`), token });
  await send({ body: toolCall('add_todo'), token });
  await send({ body: `[${toolCall('list_todos')},${toolCall('add_todo')}]`, token });
  await send({ body: toolCall('list_todos'), token: expired });
  await send({ token: 'garbage' });
  await send({ method: 'OPTIONS' });
  await logged(({ method }) => method === 'OPTIONS');

  const lines = entries.map(({ time: _time, id: _id, duration_ms: _duration, ...rest }) => rest);
  const caller = { sub: 'usr_1', client_id: 'skc_1', org_id: 'org_1' };
  assert.deepEqual(lines[0], {
    method: 'POST',
    status: 200,
    outcome: 'passed',
    bytes: 16,
    ...caller,
    rpc: 'tools/call',
    tool: 'list_todos',
  });
  assert.equal(lines[1]?.tool, `add_todo?${'x'.repeat(119)}`);
  assert.deepEqual(
    [lines[2]?.status, lines[2]?.outcome, lines[2]?.tool, lines[2]?.reason],
    [403, 'refused', 'add_todo', 'insufficient_scope'],
  );
  assert.deepEqual(
    [lines[2]?.sub, lines[2]?.client_id, lines[2]?.org_id],
    ['usr_1', 'skc_1', 'org_1'],
  );
  assert.deepEqual([lines[3]?.status, lines[3]?.messages], [403, 2]);
  assert.deepEqual([lines[4]?.status, lines[4]?.reason], [401, 'expired']);
  assert.doesNotMatch(JSON.stringify(lines), /\\u001b|\\n/);
  assert.deepEqual([lines[5]?.status, lines[5]?.reason], [401, 'malformed']);
  assert.equal(lines[6]?.status, 204);
  const text = JSON.stringify(entries);
  for (const secret of [token, expired, 'hunter2', 'garbage', 'password'])
    assert.ok(!text.includes(secret), secret);
});

test('health, readiness and metrics have a port of their own (RS-56)', async (t) => {
  const { proxy, send, issuer } = await startProxied(t, undefined, { managementPort: 0 });
  const at = `${proxy.managementUrl}`;
  await send({ body: toolCall('list_todos'), token: await issuer.token() });
  await send({ body: toolCall('list_todos') });

  assert.equal((await fetch(`${at}/healthz`)).status, 200);
  const ready = await fetch(`${at}/readyz`);
  assert.deepEqual([ready.status, (await ready.json()).status], [200, 'ready']);
  const metrics = await (await fetch(`${at}/metrics`)).text();
  assert.match(metrics, /gatewarden_proxy_requests_total\{outcome="passed",status="200"\} 1/);
  assert.match(metrics, /gatewarden_proxy_requests_total\{outcome="refused",status="401"\} 1/);
  assert.match(metrics, /gatewarden_proxy_upstream_seconds_count 1/);
  assert.match(metrics, /gatewarden_proxy_open_streams 0/);
  assert.match(metrics, /gatewarden_rs_tokens_accepted_total\{[^}]*\} 1/);
  assert.equal((await fetch(`${at}/nothing`)).status, 404);
  assert.equal((await fetch(`${at}/metrics`, { method: 'POST' })).status, 405);
  assert.equal(
    (await fetch(`${at}/metrics`, { headers: { origin: 'http://evil.example' } })).status,
    403,
  );
  const rebound = await clientOf(Number(new URL(at).port)).send({
    path: '/metrics',
    headers: [['Host', 'evil.example']],
  });
  assert.equal(rebound.status, 403, 'a page whose name was pointed at this machine');
  for (const path of ['/healthz', '/readyz', '/metrics'])
    assert.equal((await send({ path })).status, 401, `${path} is not served on the public port`);
});

test('a proxy whose upstream takes no connections is not ready, and one that is stopping neither', async (t) => {
  const { proxy } = await startInFront(t, 1, { managementPort: 0 });
  const ready = await fetch(`${proxy.managementUrl}/readyz`);
  assert.deepEqual([ready.status, (await ready.json()).status], [503, 'upstream_unreachable']);

  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const port = await startBytes(t, () => resolve());
  const busy = await startInFront(t, port, { managementPort: 0, shutdownGraceMs: 500 });
  const open = busy.send({ token: await busy.issuer.token() });
  open.catch(() => undefined);
  await arrived;
  const closed = busy.proxy.close();
  const stopping = await fetch(`${busy.proxy.managementUrl}/readyz`);
  assert.deepEqual([stopping.status, (await stopping.json()).status], [503, 'stopping']);
  await closed;
});

test('an access log or a log that fails changes no answer and ends no process (RS-29)', async (t) => {
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);
  process.on('uncaughtException', note).on('unhandledRejection', note);
  t.after(() => process.off('uncaughtException', note).off('unhandledRejection', note));
  let lines = 0;
  const { send, issuer } = await startProxied(t, undefined, {
    accessLog: () => {
      lines += 1;
      throw new Error('the disk is full');
    },
    log: () => {
      throw new Error('the log is gone');
    },
  });
  const token = await issuer.token();
  const statuses = [];
  for (const sent of [{ token }, {}, { token: 'malformed' }, { token }])
    statuses.push((await send({ body: toolCall('list_todos'), ...sent })).status);

  assert.deepEqual(statuses, [200, 401, 401, 200]);
  assert.deepEqual([lines, uncaught], [4, []]);
});

test('a large body at fault is not parsed a second time to name its method in the access log (RS-42, denial of service)', async (t) => {
  const { send, issuer, logged } = await startProxied(t);
  const token = await issuer.token();
  const called = async (padding: number, more = ''): Promise<readonly unknown[]> => {
    const body = `{"jsonrpc":"2.0","method":"tools/call","id":1,"params":{"name":"add_todo","arguments":{"x":"${'x'.repeat(padding)}"${more}}}}`;
    const { status, headers } = await send({ body, token });
    const { rpc, tool } = await logged(({ id }) => id === headers['x-request-id']);
    return [status, rpc, tool];
  };
  const twice = ',"x":1';

  assert.deepEqual(await called(10, twice), [400, 'tools/call', 'add_todo']);
  assert.deepEqual(await called(100_000, twice), [400, undefined, undefined]);
  assert.deepEqual(
    await called(100_000),
    [403, 'tools/call', 'add_todo'],
    'a refused call is named',
  );
});
