import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  clientOf,
  declaration,
  hostilePaths,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import { gatewarden, type Protection } from '../src/index.ts';

async function freePort(): Promise<number> {
  const probe = createNetServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

type Options = { transportType: 'httpStream'; httpStream: { port: number; cors?: boolean } };

/** Starts a server the way FastMCP does: reads the body of POST, then asks `authenticate`, then runs the tool. */
function framework(
  t: TestContext,
  protection: Protection,
  ran: unknown[],
): { start(options: Options): Promise<void>; options: Options[] } {
  const options: Options[] = [];
  const serve = async (request: IncomingMessage): Promise<[number, string]> => {
    if (request.url !== '/mcp') return [200, 'somewhere else'];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    try {
      const caller = await protection.authenticate(request);
      ran.push([request.method, Buffer.concat(chunks).toString(), caller.clientId]);
      return [200, 'ran'];
    } catch (error) {
      return [error instanceof Response ? error.status : 500, ''];
    }
  };
  return {
    options,
    start: async (given) => {
      options.push(given);
      const server: Server = createServer(async (request, response) => {
        const [status, text] = await serve(request);
        response.writeHead(status).end(text);
      });
      await new Promise<void>((resolve) =>
        server.listen(given.httpStream.port, '127.0.0.1', resolve),
      );
      t.after(() => {
        server.closeAllConnections();
        server.close();
      });
    },
  };
}

test('FastMCP: the first request already meets the guard, on every path, and the body is read again unchanged (RS-7, RS-36, RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const protection = gatewarden(declaration(issuer));
  t.after(protection.release);
  const ran: unknown[] = [];
  const server = framework(t, protection, ran);
  const port = await freePort();
  await protection.start(server, { transportType: 'httpStream', httpStream: { port, cors: true } });
  assert.deepEqual(server.options[0]?.httpStream, { port, cors: false });
  const { send } = clientOf(port);

  for (const path of hostilePaths) {
    for (const answer of [await send({ path }), await send({ path, body: toolCall('list_todos') })])
      assert.notEqual(answer.text, 'somewhere else', path);
  }
  assert.deepEqual(ran, []);
  const body = toolCall('list_todos', { text: 'é'.repeat(70_000) });
  assert.equal((await send({ token: await issuer.token(), body })).text, 'ran');
  assert.equal((await send({ token: await issuer.token(), method: 'GET' })).text, 'ran');
  assert.deepEqual(ran, [
    ['POST', body, 'skc_1'],
    ['GET', '', 'skc_1'],
  ]);
});

test('FastMCP: a server that was started without the guard runs no tool, whatever the token (RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const protection = gatewarden(declaration(issuer));
  const ran: unknown[] = [];
  const port = await freePort();
  await framework(t, protection, ran).start({ transportType: 'httpStream', httpStream: { port } });
  const { send } = clientOf(port);
  const answer = await send({ token: await issuer.token(), body: toolCall('list_todos') });
  assert.equal(answer.status, 503);
  assert.deepEqual(ran, []);
  await assert.rejects(protection.authenticate(undefined));
});

test('FastMCP: other servers of the process are left alone, and a port is needed to know which one is meant', async (t) => {
  const issuer = await startFakeIssuer(t);
  const protection = gatewarden(declaration(issuer));
  t.after(protection.release);
  const ran: unknown[] = [];
  const server = framework(t, protection, ran);
  const port = await freePort();
  await protection.start(server, { transportType: 'httpStream', httpStream: { port } });
  const other = createServer((_request, response) => response.end('open'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  assert.equal((await clientOf((other.address() as AddressInfo).port).send({})).text, 'open');
  await assert.rejects(
    protection.start(server, { transportType: 'httpStream', httpStream: { port: 0 } }),
  );
});
