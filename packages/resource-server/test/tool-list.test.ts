import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { GuardEvent, McpServerOptions } from '../src/index.ts';
import { type EntryPoint, startEntryPoints } from '../src/testing/entry-points.ts';
import { type FakeIssuer, scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, toolCall } from '../src/testing/guarded-server.ts';

const tools = ['list_todos', 'add_todo', 'unlisted', 'depends', 'constructor'].map((name) => ({
  name,
  description: `What ${name} does ✓`,
  inputSchema: { type: 'object' },
}));
const listRequest = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/list' });
const listAnswer = JSON.stringify({
  jsonrpc: '2.0',
  id: 7,
  result: { tools, nextCursor: 'abc', _meta: { x: 1 } },
});

async function startListing(
  t: TestContext,
  issuer: FakeIssuer,
  answer: () => Response,
  more: Partial<McpServerOptions> = {},
): Promise<{ entries: readonly EntryPoint[]; events: GuardEvent[] }> {
  const events: GuardEvent[] = [];
  const options = declaration(issuer, {
    hideUnpermittedTools: true,
    defaultPolicy: 'deny',
    tools: { list_todos: 'todo:read', add_todo: 'todo:write', depends: () => 'todo:write' },
    log: (event) => events.push(event),
    ...more,
  });
  return { entries: await startEntryPoints(t, options, answer), events };
}

function json(
  text: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Response {
  return new Response(text, { headers: { 'content-type': 'application/json', ...headers } });
}

function events(text: string): Response {
  return new Response(text, { headers: { 'content-type': 'text/event-stream' } });
}

function namesIn(text: string): string[] {
  return JSON.parse(text).result.tools.map(({ name }: { name: string }) => name);
}

test('tools a caller may not call are left out of a JSON answer, the rest stays (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { entries } = await startListing(t, issuer, () =>
    json(listAnswer, { etag: '"all"', 'content-length': String(Buffer.byteLength(listAnswer)) }),
  );
  const reader = await issuer.token();
  const writer = await issuer.token(scopeClaims('todo:read todo:write'));
  for (const entry of entries) {
    const answer = await entry.send({ token: reader, body: listRequest });
    assert.deepEqual(namesIn(answer.text), ['list_todos', 'depends'], entry.name);
    const { result } = JSON.parse(answer.text);
    assert.deepEqual(
      [result.nextCursor, result._meta, result.tools[0]],
      ['abc', { x: 1 }, tools[0]],
    );
    assert.equal(answer.headers.etag, undefined, 'a list for one caller is not cached for another');
    const length = answer.headers['content-length'];
    if (length !== undefined) assert.equal(Number(length), Buffer.byteLength(answer.text));
    const more = await entry.send({ token: writer, body: listRequest });
    assert.deepEqual(namesIn(more.text), ['list_todos', 'add_todo', 'depends']);
  }
});

test('without the option, and for calls of other methods, nothing is touched (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const shown = await startListing(t, issuer, () => json(listAnswer, { etag: '"all"' }), {
    hideUnpermittedTools: false,
  });
  const other = await startListing(t, issuer, () => json(listAnswer, { etag: '"x"' }));
  for (const entry of shown.entries)
    assert.equal((await entry.send({ token, body: listRequest })).text, listAnswer);
  for (const entry of other.entries) {
    const answer = await entry.send({ token, body: toolCall('list_todos') });
    assert.deepEqual([answer.text, answer.headers.etag], [listAnswer, '"x"'], entry.name);
  }
});

test('in a batch only the list is shortened, not the result of a call that looks like one (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const call = JSON.parse(toolCall('list_todos'));
  const lookalike = { jsonrpc: '2.0', id: 1, result: { content: [], tools } };
  const { entries } = await startListing(t, issuer, () =>
    json(JSON.stringify([lookalike, JSON.parse(listAnswer)])),
  );
  const token = await issuer.token();
  for (const entry of entries) {
    const body = JSON.stringify([call, JSON.parse(listRequest)]);
    const [first, second] = JSON.parse((await entry.send({ token, body })).text);
    assert.deepEqual(first, lookalike, entry.name);
    assert.deepEqual(namesIn(JSON.stringify(second)), ['list_todos', 'depends']);
  }
});

test('ids that are used twice or are none hide no list from the filter (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const list = JSON.parse(listRequest);
  const call = JSON.parse(toolCall('list_todos', {}, 7));
  const bodies = [[list, call], [call, list], { ...list, id: '7' }, { ...list, id: null }];
  const { entries } = await startListing(t, issuer, () => json(listAnswer));
  for (const entry of entries) {
    for (const body of bodies) {
      const sent = { token: await issuer.token(), body: JSON.stringify(body) };
      assert.deepEqual(namesIn((await entry.send(sent)).text), ['list_todos', 'depends']);
    }
  }
});

test('a list that is answered on another POST of the session, because the client used its id twice, is shortened too (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const session: [string, string] = ['Mcp-Session-Id', 's1'];
  const call = toolCall('list_todos', {}, 7);
  const bodies = [call, `[${call},${listRequest.replace('7', '8')}]`];
  const asJson = await startListing(t, issuer, () => json(listAnswer));
  const asEvents = await startListing(t, issuer, () => events(`id: 1\ndata: ${listAnswer}\n\n`));
  for (const body of bodies) {
    for (const entry of asJson.entries) {
      const { text } = await entry.send({ token, body, headers: [session] });
      assert.deepEqual(namesIn(text), ['list_todos', 'depends'], entry.name);
    }
    for (const entry of asEvents.entries) {
      const { text } = await entry.send({ token, body, headers: [session] });
      assert.deepEqual(namesIn(/data: (.*)/.exec(text)?.[1] ?? ''), ['list_todos', 'depends']);
    }
  }
});

test('other answers of a session pass as they are: large, damaged, of another type or with tools in the result of a call (RS-43, RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const result = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [], tools } });
  const large = result.replace('[]', `[{"type":"text","text":"${'x'.repeat(17_000_000)}"}]`);
  const answers: (() => Response)[] = [
    () => json(result),
    () => json('{"tools": '),
    () => json(`${result}  `),
    () => events(`data: ${large}\n\n: end\n\n`),
    () => events(`: ping\n\ndata: "tools" is no JSON\n\n`),
    () => new Response(listAnswer, { headers: { 'content-type': 'text/plain' } }),
  ];
  for (const answer of answers) {
    const { entries, events: said } = await startListing(t, issuer, answer);
    const expected = await answer().text();
    for (const entry of entries) {
      const headers: [string, string][] = [['Mcp-Session-Id', 's1']];
      const { text } = await entry.send({ token, body: toolCall('list_todos'), headers });
      assert.ok(text === expected, `${entry.name}: ${text.slice(0, 200)}`);
    }
    assert.deepEqual(said, []);
  }
});

test('in a stream the list is shortened and every other event goes out as it came (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const notification = '{"jsonrpc":"2.0",  "method":"notifications/progress"}';
  const around = `id: 0\ndata: \n\n: ping\n\nevent: message\r\ndata: ${notification}\r\n\r\n`;
  const [head, tail] = [listAnswer.slice(0, 1), listAnswer.slice(1)];
  const { entries } = await startListing(t, issuer, () =>
    events(`${around}event: message\nid: 9\ndata: ${head}\ndata: ${tail}\n\n: end\n\n`),
  );
  const token = await issuer.token();
  for (const entry of entries) {
    const { text } = await entry.send({ token, body: listRequest });
    assert.ok(text.startsWith(around), entry.name);
    const found = /event: message\nid: 9\ndata: (.*)\n\n: end\n\n$/.exec(text);
    assert.deepEqual(namesIn(found?.[1] ?? ''), ['list_todos', 'depends']);
  }
});

test('a list that arrives on the stream of a GET is shortened too, addresses of the older transport stay (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { entries } = await startListing(t, issuer, () =>
    events(`event: endpoint\ndata: /messages?id=1\n\ndata: ${listAnswer}\r\rdata: ${listAnswer}`),
  );
  for (const entry of entries) {
    const { text } = await entry.send({ token: await issuer.token() });
    assert.ok(text.startsWith('event: endpoint\ndata: /messages?id=1\n\n'), entry.name);
    const lists = text.split('\n\n').slice(1, 3);
    for (const list of lists)
      assert.deepEqual(namesIn(list.replace('data: ', '')), ['list_todos', 'depends']);
  }
});

test('byte order marks at the start of a stream hide no list from the filter (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  for (const marks of ['\uFEFF', '\uFEFF\uFEFF', '\uFEFF\uFEFF\uFEFF']) {
    const { entries } = await startListing(t, issuer, () =>
      events(`${marks}data: ${listAnswer}\n\n`),
    );
    for (const entry of entries) {
      const { text } = await entry.send({ token, body: listRequest });
      assert.deepEqual(namesIn(/data: (.*)/.exec(text)?.[1] ?? ''), ['list_todos', 'depends']);
    }
  }
});

test('an event split anywhere is put together, and each goes out before the next is written (RS-43, RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const bytes = new TextEncoder().encode(`data: ${listAnswer}\r\n\r\n`);
  const { entries } = await startListing(t, issuer, () => {
    const parts = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
      bytes.slice(at * 7, at * 7 + 7),
    );
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(': first\n\n'));
        await pause(30);
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
  });
  for (const entry of entries) {
    const { text } = await entry.send({ token: await issuer.token(), body: listRequest });
    const found = /^: first\n\ndata: (.*)\n\n$/.exec(text);
    assert.deepEqual(namesIn(found?.[1] ?? ''), ['list_todos', 'depends'], entry.name);
    assert.ok(found?.[1]?.includes('What list_todos does ✓'));
  }
});

test('a list that cannot be read is withheld: compressed, damaged, said twice or endless (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const twice = listAnswer.replace('"result":', '"result":{"tools":[]},"result":');
  const gzip = { 'content-encoding': 'gzip' };
  const bad: [string, () => Response][] = [
    ['gzip', () => json(new Uint8Array(gzipSync(listAnswer)), gzip)],
    ['damaged', () => json(listAnswer.slice(1))],
    ['twice', () => json(twice)],
    ['no type', () => new Response(new TextEncoder().encode('tools: add_todo'))],
    ['endless', () => json(new Uint8Array(17_000_000).fill(32))],
  ];
  for (const [what, answer] of bad) {
    const { entries, events: log } = await startListing(t, issuer, answer);
    for (const entry of entries) {
      const { status, text, headers } = await entry.send({
        token: await issuer.token(),
        body: listRequest,
      });
      assert.equal(status, 502, `${entry.name} ${what}`);
      assert.ok(!text.includes('add_todo') && headers['content-encoding'] === undefined);
    }
    assert.equal(log.filter(({ event }) => event === 'tool_list_unreadable').length, 2, what);
  }
  const packed = await startListing(t, issuer, () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) =>
        controller.enqueue(new Uint8Array(gzipSync(`data: ${listAnswer}\n\n`))),
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream', ...gzip } });
  });
  for (const entry of packed.entries) {
    const { status } = await entry.send({ token: await issuer.token() });
    assert.equal(status, 502, `${entry.name}: a stream that never ends is answered at once`);
  }
  const damaged = await startListing(t, issuer, () =>
    events(`data: {"tools":"add_todo"\n\ndata: ${twice}\n\n: end\n\n`),
  );
  for (const entry of damaged.entries) {
    const { text } = await entry.send({ token: await issuer.token(), body: listRequest });
    assert.equal(text, ': end\n\n', entry.name);
  }
});

test('errors and empty answers to tools/list pass as they are (RS-43)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const error = '{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"x"}}';
  const answers: [() => Response, number, string][] = [
    [() => json(error), 200, error],
    [() => new Response('Not here', { status: 404 }), 404, 'Not here'],
    [() => new Response(null, { status: 202 }), 202, ''],
  ];
  for (const [answer, status, text] of answers) {
    const { entries } = await startListing(t, issuer, answer);
    for (const entry of entries) {
      const got = await entry.send({ token: await issuer.token(), body: listRequest });
      assert.deepEqual([got.status, got.text], [status, text], entry.name);
    }
  }
});
