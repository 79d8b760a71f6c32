import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { guardFetch, guardNodeRequest, protectMcp } from '../src/index.ts';
import { startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, toolCall } from '../src/testing/guarded-server.ts';
import { heapUsed } from '../src/testing/heap-used.ts';

// A body of the size that is allowed, in as many pieces as it has bytes.
const body = toolCall('list_todos', { text: 'x'.repeat(300_000) });
const allowedGrowth = 16 * 1_048_576;

function assertSmall(grown: number): void {
  assert.ok(grown < allowedGrowth, `${body.length} bytes took ${grown >> 20} MiB`);
}

/** A server with a guard, and the request it is reading. */
async function listening(
  t: TestContext,
  guard: ReturnType<typeof protectMcp>,
): Promise<{ port: number; reading: () => IncomingMessage | undefined }> {
  let reading: IncomingMessage | undefined;
  const server = createServer(async (request, response) => {
    reading = request;
    const admitted = await guardNodeRequest(guard, request, response);
    if (admitted) response.end(JSON.stringify(admitted.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, reading: () => reading };
}

test('a body in pieces of one byte takes no more memory than in one piece (RS-42, memory exhaustion)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { port, reading } = await listening(t, protectMcp(declaration(issuer)));
  const token = await issuer.token();
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const pieces = body.replace(/./g, '1\r\n$&\r\n');
  const before = heapUsed();
  socket.write(head + pieces);
  const end = performance.now() + 20_000;
  while ((reading()?.socket.bytesRead ?? 0) < head.length + pieces.length) {
    assert.ok(performance.now() < end, 'the body was not read');
    await sleep(20);
  }

  assertSmall(heapUsed() - before);

  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += String(text);
  });
  socket.write('0\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  assert.match(answer, /^HTTP\/1\.1 200/);
  assert.ok(answer.includes(body), 'what arrived is what was sent');
});

test('a web request in pieces of one byte takes no more memory than in one piece (RS-42, memory exhaustion)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const handle = guardFetch(protectMcp(declaration(issuer)), async (request) => {
    return new Response(await request.text());
  });
  const bytes = new TextEncoder().encode(body);
  const before = heapUsed();
  let at = 0;
  let grown = 0;
  const pieces = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, at + 1));
      else {
        grown = heapUsed() - before;
        controller.close();
      }
      at += 1;
    },
  });
  const answer = await handle(
    new Request('http://localhost:3333/mcp', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await issuer.token()}`,
      },
      body: pieces,
      ...{ duplex: 'half' }, // which Node.js wants for a stream and the types do not know
    }),
  );
  assertSmall(grown);
  assert.equal(answer.status, 200, await answer.clone().text());
  assert.equal(await answer.text(), body);
});
