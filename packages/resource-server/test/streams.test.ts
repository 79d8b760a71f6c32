import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { guardFetch, guardNodeRequest, type McpServerOptions, protectMcp } from '../src/index.ts';
import { type FakeIssuer, serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, toolCall } from '../src/testing/guarded-server.ts';

type Writer = { write(text: string): void; end(): void };

/** A server whose handler opens a stream and hands its writer to the test. */
async function startStreaming(
  t: TestContext,
  issuer: FakeIssuer,
  more: Partial<McpServerOptions> = {},
): Promise<{ port: number; opened: ServerResponse[] }> {
  const guard = protectMcp(declaration(issuer, more));
  const opened: ServerResponse[] = [];
  const { port } = await serve(t, async (request, response) => {
    if (!(await guardNodeRequest(guard, request, response))) return;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    opened.push(response);
  });
  return { port, opened };
}

function open(
  port: number,
  method: string,
  token: string,
  body?: string,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, agent: false, method, path: '/mcp' });
    request.setHeader('host', 'localhost').setHeader('authorization', `Bearer ${token}`);
    if (body !== undefined) request.setHeader('content-type', 'application/json');
    request.on('response', resolve).on('error', reject).end(body);
  });
}

/** A stream of the web entry point, whose source the test writes to. */
async function openWeb(
  issuer: FakeIssuer,
  request: RequestInit,
  more: Partial<McpServerOptions> = {},
): Promise<{ response: Response; writer: Writer; cancelled: () => boolean }> {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = false;
  const handle = guardFetch(protectMcp(declaration(issuer, more)), () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        source = controller;
      },
      cancel() {
        cancelled = true;
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  });
  const response = await handle(new Request(serverUrl, request));
  const writer: Writer = {
    write: (text) => source?.enqueue(new TextEncoder().encode(text)),
    end: () => source?.close(),
  };
  return { response, writer, cancelled: () => cancelled };
}

/** What a stream says until it ends; undefined when it does not end in time. */
async function untilEnd(stream: AsyncIterable<unknown>, ms = 2_000): Promise<string | undefined> {
  const read = async (): Promise<string> => {
    let text = '';
    for await (const chunk of stream) {
      text += typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString();
    }
    return text;
  };
  const limit = new AbortController();
  const late = pause(ms, undefined, { signal: limit.signal }).catch(() => undefined);
  const outcome = await Promise.race([read(), late]);
  limit.abort();
  return outcome;
}

/** A token with so much of its life left. Tokens end at full seconds, so the clock is moved. */
function tokenFor(issuer: FakeIssuer, seconds: number): Promise<string> {
  const exp = Math.floor(issuer.clock.now.getTime() / 1_000) + 100;
  issuer.advance(100 - seconds);
  return issuer.token({ exp });
}

test('a GET stream ends a minute before its token, and what its handler writes later harms nobody (RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { port, opened } = await startStreaming(t, issuer);
  const token = await tokenFor(issuer, 60.2);
  const response = await open(port, 'GET', token);
  opened[0]?.write('data: first\n\n');

  assert.equal(await untilEnd(response), 'data: first\n\n');
  assert.equal(opened[0]?.write('data: late\n\n'), true);
  opened[0]?.end();
  await pause(20);
});

test('a GET stream of the web entry point ends in time too, and its source is told (RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await tokenFor(issuer, 60.2);
  const { response, writer, cancelled } = await openWeb(issuer, {
    headers: { authorization: `Bearer ${token}` },
  });
  writer.write('data: first\n\n');

  assert.ok(response.body);
  assert.equal(await untilEnd(response.body), 'data: first\n\n');
  assert.equal(cancelled(), true);
});

test('a stream opened in the last minute of a token ends with it, not at once (RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { port } = await startStreaming(t, issuer);
  const response = await open(port, 'GET', await tokenFor(issuer, 0.6));
  const began = performance.now();

  assert.equal(await untilEnd(response), '');
  assert.ok(performance.now() - began > 300);
});

test('the stream of a POST, and any stream where the option is off, outlives its token (RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await tokenFor(issuer, 60.05);
  const kept = await startStreaming(t, issuer, { closeStreamOnExpiry: false });
  const get = await open(kept.port, 'GET', token);
  const normal = await startStreaming(t, issuer);
  const post = await open(normal.port, 'POST', token, toolCall('list_todos'));

  assert.equal(await untilEnd(get, 300), undefined);
  assert.equal(await untilEnd(post, 300), undefined);
  get.destroy();
  post.destroy();
});

test('a stream is not buffered: the first event arrives before the second is written (RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const { port, opened } = await startStreaming(t, issuer);
  const response = await open(port, 'POST', token, toolCall('list_todos'));
  const events = response.iterator();
  opened[0]?.write('data: 1\n\n');
  assert.equal(String((await events.next()).value), 'data: 1\n\n');
  opened[0]?.write('data: 2\n\n');
  assert.equal(String((await events.next()).value), 'data: 2\n\n');
  response.destroy();

  const web = await openWeb(issuer, { headers: { authorization: `Bearer ${token}` } });
  assert.ok(web.response.body);
  const reader = web.response.body.getReader();
  web.writer.write('data: 1\n\n');
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'data: 1\n\n');
  web.writer.write('data: 2\n\n');
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'data: 2\n\n');
  await reader.cancel();
  assert.equal(web.cancelled(), true, 'who leaves is noticed by the handler');
});

test('a stream whose caller went away while its token was checked is never opened, so aborted requests leave no timers and no streams (RS-49, RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { port, opened } = await startStreaming(t, issuer);
  let release = (): void => undefined;
  issuer.answer = (response) => {
    release = () => response.end(JSON.stringify({ keys: issuer.published }));
  };
  const token = await issuer.token();
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  const url = `http://localhost:${port}/mcp`;
  const gone = fetch(url, { headers, signal: leaving.signal }).catch(() => undefined);
  while (issuer.fetches === 0) await pause(10);
  leaving.abort();
  await gone;
  await pause(100);
  release();
  await pause(100);
  assert.equal(opened.length, 0);
  const staying = new AbortController();
  t.after(() => staying.abort());
  assert.equal((await fetch(url, { headers, signal: staying.signal })).status, 200);
  assert.equal(opened.length, 1);
});

test('an open GET stream ends within five seconds of the revocation of its token, others go on (RS-58, RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { port, opened } = await startStreaming(t, issuer);
  const kept = await open(port, 'GET', await issuer.token({ rvk: ['h-other'], jti: 'tkn_2' }));
  const token = await issuer.token({ rvk: ['h-grant'] });
  const revoked = await open(port, 'GET', token);
  const web = await openWeb(issuer, { headers: { authorization: `Bearer ${token}` } });
  opened[1]?.write('data: before\n\n');
  web.writer.write('data: before\n\n');

  issuer.feed.revoke({ handle: 'h-grant' });

  assert.ok(web.response.body);
  assert.deepEqual(
    await Promise.all([untilEnd(revoked, 5_000), untilEnd(web.response.body, 5_000)]),
    ['data: before\n\n', 'data: before\n\n'],
  );
  assert.equal(web.cancelled(), true);
  assert.equal(await untilEnd(kept, 2_500), undefined);
  kept.destroy();
});
