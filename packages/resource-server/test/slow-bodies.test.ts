import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFakeIssuer } from '../src/testing/fake-issuer.ts';
import {
  declaration,
  type Guarded,
  startGuarded,
  toolCall,
} from '../src/testing/guarded-server.ts';

/** Sends a call without its last byte, and returns how to send that and what was answered. */
async function halfCall(
  t: TestContext,
  server: Guarded,
  token: string,
): Promise<() => Promise<string>> {
  const body = toolCall('list_todos');
  const head = [
    'POST /mcp HTTP/1.1',
    `Host: localhost:${server.port}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ].join('\r\n');
  const socket = await new Promise<Socket>((resolve) => {
    const opened: Socket = connect(server.port, '127.0.0.1', () => resolve(opened));
  });
  t.after(() => socket.destroy());
  socket.write(`${head}\r\n\r\n${body.slice(0, -1)}`);
  return () =>
    new Promise((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
      socket.once('close', () => resolve(text));
      socket.write(body.slice(-1));
    });
}

test('a call that was begun before its token was revoked and is finished afterwards is refused: half-open requests hold no access (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ rvk: ['h-grant'] });
  assert.equal((await server.send({ token, body: toolCall('list_todos') })).status, 200);
  const finish = await halfCall(t, server, token);
  await sleep(200); // the head was read and its token accepted
  issuer.feed.revoke({ handle: 'h-grant' });
  issuer.advance(4);
  const end = performance.now() + 4_000;
  while ((await server.send({ token })).status !== 401) {
    assert.ok(performance.now() < end, 'the revocation did not arrive');
    await sleep(20);
  }
  const calls = server.calls.length;

  const answer = await finish();

  assert.match(answer, /^HTTP\/1.1 401 /);
  assert.match(answer, /error="invalid_token"/);
  assert.equal(server.calls.length, calls, 'nothing reached the tool');
});

test('a call whose token ends while its body arrives is refused (RS-20)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const exp = Math.floor(issuer.clock.now.getTime() / 1_000) + 60;
  const finish = await halfCall(t, server, await issuer.token({ exp }));
  await sleep(200);
  issuer.advance(120);
  assert.match(await finish(), /^HTTP\/1.1 401 /);
  assert.equal(server.calls.length, 0);
});
