import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { guardNodeRequest, protectMcp } from '../src/index.ts';
import { type FakeIssuer, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, toolCall } from '../src/testing/guarded-server.ts';

/** Holds the answer of the key set back, so that the guard waits. */
function holdKeys(issuer: FakeIssuer): { asked: Promise<void>; release(): void } {
  const waiting: ServerResponse[] = [];
  const asked = Promise.withResolvers<void>();
  issuer.answer = (response) => {
    waiting.push(response);
    asked.resolve();
  };
  return {
    asked: asked.promise,
    release: () => {
      for (const response of waiting) response.end(JSON.stringify({ keys: issuer.published }));
    },
  };
}

test('a caller who leaves while keys are fetched leaves nothing that waits (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const keys = holdKeys(issuer);
  const guard = protectMcp(declaration(issuer));
  const outcomes: unknown[] = [];
  const gone = Promise.withResolvers<void>();
  const { port } = await serve(t, async (request, response) => {
    request.on('close', () => gone.resolve());
    outcomes.push(await guardNodeRequest(guard, request, response));
  });
  const token = await issuer.token();
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{`,
  );
  await keys.asked;
  socket.destroy();
  await once(socket, 'close');
  await gone.promise;
  keys.release();
  for (let n = 0; n < 100 && outcomes.length === 0; n += 1) await pause(20);
  assert.deepEqual(outcomes, [undefined]);
});

test('when somebody else answers while the guard waits, the guard lets nothing through and stays quiet (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const keys = holdKeys(issuer);
  const guard = protectMcp(declaration(issuer));
  const outcomes: unknown[] = [];
  const { send } = await serve(t, async (request, response) => {
    void keys.asked.then(() => response.writeHead(504).end('too late'));
    outcomes.push(await guardNodeRequest(guard, request, response));
  });
  const answer = await send({ token: await issuer.token(), body: toolCall('add_todo') });
  assert.deepEqual([answer.status, answer.text], [504, 'too late']);
  keys.release();
  for (let n = 0; n < 100 && outcomes.length === 0; n += 1) await pause(20);
  assert.deepEqual(outcomes, [undefined]);
});
