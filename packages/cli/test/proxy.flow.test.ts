import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { runCommand } from './run-command.ts';
import { freePort, spawnCommand } from './spawn-dev.ts';

type Upstream = { readonly url: string; readonly seen: IncomingMessage[] };

async function startUpstream(t: TestContext): Promise<Upstream> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    request.resume();
    if (request.method === 'GET')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    else response.setHeader('content-type', 'application/json').end('{"handled":true}');
  });
  return { url: `http://127.0.0.1:${await listen(t, server)}/mcp`, seen };
}

async function listen(t: TestContext, server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Somebody's authorization server, by this machine's clock: the command has no other. */
async function startIssuer(
  t: TestContext,
): Promise<{ url: string; token: (audience: string, scope: string) => Promise<string> }> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/keys') response.end(JSON.stringify({ keys: [jwk] }));
    else if (request.url === '/.well-known/oauth-authorization-server')
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    else response.writeHead(404).end();
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const token = (audience: string, scope: string): Promise<string> =>
    new SignJWT({ client_id: 'client-1', scope })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1', typ: 'at+jwt' })
      .setIssuer(url)
      .setSubject('person-1')
      .setAudience(audience)
      .setJti('t1')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
  return { url, token };
}

const call = (name: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });

test('gatewarden proxy says when it is ready, protects, reads its tool file again on SIGHUP and ends on SIGTERM (RS-7, RS-35, RS-46)', async (t) => {
  const upstream = await startUpstream(t);
  const issuer = await startIssuer(t);
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-proxy-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tools = join(folder, 'tools.yaml');
  await writeFile(tools, 'tools: {list_todos: {required: todo:read}}\n');
  const [port, managementPort] = [await freePort(), await freePort()];
  const run = spawnCommand(
    [
      'proxy',
      '--json',
      ...['--upstream', upstream.url, '--port', String(port), '--issuer', issuer.url],
      ...['--tools', tools, '--management-port', String(managementPort)],
      ...['--upstream-header', 'X-Upstream-Key: @UPSTREAM_KEY', '--identity', 'signed'],
    ],
    { cwd: folder, env: { UPSTREAM_KEY: 'key-1' } },
  );
  t.after(async () => {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL');
    await run.ended;
  });
  const lines = createInterface({ input: run.child.stdout ?? assert.fail() });
  const next = async (): Promise<Record<string, unknown>> => {
    const [line] = await Promise.race([
      once(lines, 'line'),
      run.ended.then((code) => assert.fail(`ended with ${code}: ${run.errors()}`)),
    ]);
    return JSON.parse(String(line));
  };
  const mcpUrl = `http://localhost:${port}/mcp`;

  const ready = await next();

  assert.deepEqual(ready, {
    ready: true,
    mcpUrl,
    port,
    managementUrl: `http://127.0.0.1:${managementPort}`,
    pid: ready['pid'],
  });
  assert.equal(typeof ready['pid'], 'number');
  const authorization = `Bearer ${await issuer.token(mcpUrl, 'todo:read')}`;
  const post = async (name: string, headers: Record<string, string> = { authorization }) => {
    const logged = next();
    const { status } = await fetch(mcpUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: call(name),
    });
    return { status, line: await logged };
  };
  const none = await post('list_todos', {});
  assert.deepEqual([none.status, none.line['outcome']], [401, 'refused']);
  const allowed = await post('list_todos');
  assert.equal(allowed.status, 200);
  assert.deepEqual(
    [allowed.line['tool'], allowed.line['sub'], allowed.line['client_id'], allowed.line['status']],
    ['list_todos', 'person-1', 'client-1', 200],
  );
  assert.equal(upstream.seen[0]?.headers['x-upstream-key'], 'key-1');
  assert.equal(upstream.seen[0]?.headers.authorization, undefined);
  assert.ok(upstream.seen[0]?.headers['x-gatewarden-identity']);
  assert.equal((await post('add_todo')).status, 403);

  await writeFile(tools, 'tools: {add_todo: {required: todo:read}}\n');
  run.child.kill('SIGHUP');
  while (!run.errors().includes('read again'))
    await once(run.child.stderr ?? assert.fail(), 'data');
  assert.equal((await post('add_todo')).status, 200);
  await writeFile(tools, 'tools: nonsense\n');
  run.child.kill('SIGHUP');
  while (!run.errors().includes('stay as they were'))
    await once(run.child.stderr ?? assert.fail(), 'data');
  assert.equal((await post('add_todo')).status, 200);

  const stream = await fetch(mcpUrl, { headers: { authorization, accept: 'text/event-stream' } });
  assert.equal(stream.status, 200);
  const half = connect(port, '127.0.0.1', () => half.write('POST /mcp HTTP/1.1\r\nHost: x\r\n'));
  half.on('error', () => undefined);
  t.after(() => half.destroy());
  await once(half, 'connect');
  const asked = process.hrtime.bigint();
  run.child.kill('SIGTERM');
  assert.equal(await run.ended, 0, run.errors());
  const seconds = Number(process.hrtime.bigint() - asked) / 1e9;
  assert.ok(seconds < 13, `it took ${seconds} s to end`);
  await assert.rejects(stream.text());
});

test('gatewarden proxy goes on when nobody reads its log any more, and says so (RS-46)', async (t) => {
  const upstream = await startUpstream(t);
  const issuer = await startIssuer(t);
  const port = await freePort();
  const run = spawnCommand(
    [
      ...['proxy', '--json', '--upstream', upstream.url, '--issuer', issuer.url],
      ...['--port', String(port), '--management-port', '0'],
    ],
    { cwd: tmpdir() },
  );
  t.after(async () => {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL');
    await run.ended;
  });
  const stdout = run.child.stdout ?? assert.fail();
  await Promise.race([
    once(stdout, 'data'),
    run.ended.then((code) => assert.fail(`ended with ${code}: ${run.errors()}`)),
  ]);
  const mcpUrl = `http://localhost:${port}/mcp`;
  const authorization = `Bearer ${await issuer.token(mcpUrl, 'todo:read')}`;
  const status = async (): Promise<number> => {
    const headers = { 'content-type': 'application/json', authorization };
    const body = call('list_todos');
    return (await fetch(mcpUrl, { method: 'POST', headers, body })).status;
  };

  stdout.destroy();

  for (let request = 0; request < 5; request += 1) {
    assert.equal(await status(), 200, run.errors());
    await sleep(50); // its line is written after the answer
  }
  assert.equal(run.errors().match(/standard output/g)?.length, 1, run.errors());
  run.child.stderr?.destroy();
  for (let request = 0; request < 3; request += 1) assert.equal(await status(), 200);
  run.child.kill('SIGTERM');
  assert.equal(await run.ended, 0);
});

test('gatewarden proxy refuses flags that do not fit, in one sentence that names the flag and no secret', async () => {
  const base = ['proxy', '--upstream', 'http://127.0.0.1:1/mcp'];
  const ours = ['--environment-url', 'http://127.0.0.1:1', '--resource-id', 'res_1234567890'];
  const table: [readonly string[], number, RegExp][] = [
    [['proxy'], 2, /--upstream/],
    [base, 2, /--environment-url and --resource-id.*--issuer/],
    [[...base, ...ours, '--host', '0.0.0.0'], 2, /--url/],
    [[...base, ...ours, '--identity', 'maybe'], 2, /none, signed/],
    [[...base, ...ours, '--identity-key', 'x.pem'], 2, /--identity signed/],
    [[...base, ...ours, '--default-policy', 'open'], 2, /deny, base, allow/],
    [[...base, ...ours, '--max-body', '-1'], 2, /--max-body/],
    [[...base, ...ours, '--idle-timeout', 'soon'], 2, /--idle-timeout/],
    [[...base, ...ours, '--upstream-header', 'X-Key'], 2, /Name: value/],
    [[...base, ...ours, '--upstream-header', 'X-Key: @NOT_SET'], 2, /NOT_SET is not set/],
    [[...base, ...ours, '--port', '0', '--tools', '/nowhere.yaml'], 1, /tool file \/nowhere\.yaml/],
    [['proxy', '--upstream', 'http://a:hunter2@127.0.0.1/', ...ours, '--port', '0'], 1, /upstream/],
    [[...base, ...ours, '--port', '0', '--upstream-header', 'Host: hunter2'], 1, /Host/],
    [[...base, ...ours, '--port', '0', '--forward-header', 'Cookie'], 1, /Cookie/],
    [[...base, ...ours, '--port', '0', '--resource-id', 'x'], 1, /resourceId/],
  ];
  for (const [args, code, sentence] of table) {
    const outcome = await runCommand(args);
    assert.equal(outcome.code, code, `${args.join(' ')}: ${outcome.err}`);
    assert.match(outcome.err, sentence);
    assert.doesNotMatch(outcome.err, /hunter2|\n\s+at /);
  }
});

test('gatewarden proxy --help has examples', async () => {
  const { code, out } = await runCommand(['proxy', '--help']);
  assert.equal(code, 0);
  assert.match(out, /Examples:\n.*\n {2}gatewarden proxy --upstream/);
});
