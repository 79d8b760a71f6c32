import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { scopeClaims } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  type Answer,
  challengeOf,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { slowMs } from './mcp-tools.ts';
import { maxBodyBytes, type Row, row } from './rows.ts';
import type { Target } from './target.ts';

const accept: [string, string] = ['Accept', 'application/json, text/event-stream'];
const json: [string, string] = ['Content-Type', 'application/json'];
const metadataRoot = '/.well-known/oauth-protected-resource';

/** The message of an answer that is JSON or a stream of events. */
function messageOf(answer: Answer): unknown {
  const data = /^data: ?(\{[^\n]*"result"[^\n]*\})/m.exec(answer.text);
  return JSON.parse(data?.[1] ?? answer.text);
}

/** What the tool reported: its name, what it was given and who called. */
function reportOf(answer: Answer): unknown {
  const message = messageOf(answer) as { result?: { content?: { text?: string }[] } };
  return JSON.parse(message.result?.content?.[0]?.text ?? 'null');
}

/** When the pieces of a streamed answer arrived, in milliseconds since the request. */
function arrivals(
  target: Target,
  token: string,
): Promise<{ first: number; last: number; text: string }> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'slow', arguments: { text: 'x' }, _meta: { progressToken: 1 } },
  });
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let first: number | undefined;
    let text = '';
    const request = httpRequest({
      host: '127.0.0.1',
      port: target.port,
      agent: false,
      method: 'POST',
      path: '/mcp',
      headers: Object.fromEntries([
        ['Host', `localhost:${target.port}`],
        ['Authorization', `Bearer ${token}`],
        accept,
        json,
      ]),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        first ??= performance.now() - started;
        text += chunk;
      });
      response.on('end', () => {
        const last = performance.now() - started;
        resolve({ first: first ?? last, last, text });
      });
    });
    request.end(body);
  });
}

const tokenFor = (target: Target, scope: string): Promise<string> =>
  target.issuer.token(scopeClaims(scope));

/** Bodies that some parsers read one way and some another, or that nobody should read. */
function unreadableBodies(): Record<
  string,
  { body: string | Uint8Array; headers?: [string, string][] }
> {
  const call = toolCall('list_todos', { text: 'x' });
  const twice = call.replace('"name":"list_todos"', '"name":"list_todos","name":"add_todo"');
  return {
    'a byte order mark': { body: `\uFEFF${call}` },
    gzip: { body: gzipSync(call), headers: [json, ['Content-Encoding', 'gzip']] },
    'UTF-16': {
      body: Buffer.from(call, 'utf16le'),
      headers: [['Content-Type', 'application/json; charset=utf-16le']],
    },
    'a member twice': { body: twice },
    'a member twice, once escaped': { body: twice.replace(',"name"', ',"n\\u0061me"') },
    'no JSON': { body: 'jsonrpc=2.0' },
    'text/plain': { body: call, headers: [['Content-Type', 'text/plain']] },
    'a nested batch': { body: `[[${call}]]` },
    'an empty batch': { body: '[]' },
    'a method that is a list': { body: call.replace('"tools/call"', '["tools/call"]') },
    'too large': { body: toolCall('list_todos', { text: 'x'.repeat(maxBodyBytes) }) },
  };
}

async function refusedBodies(target: Target, names: readonly string[]): Promise<void> {
  const token = await tokenFor(target, 'todo:read todo:write');
  const bodies = unreadableBodies();
  for (const name of names) {
    const sent = bodies[name];
    assert.ok(sent, name);
    const headers = [accept, ...(sent.headers ?? [])];
    const answer = await target.send({ token, body: sent.body, headers });
    assert.ok([400, 413, 415].includes(answer.status), `${name}: ${answer.status}`);
  }
}

/** What a parser in front of the guard decides about by itself. The others are the guard's wherever it stands. */
const parserBodies = ['a byte order mark', 'a member twice', 'a member twice, once escaped'];

/** Rows about the request around the token and about what is behind the guard. */
export const requestRows: readonly Row[] = [
  row(
    'the metadata is at the root and at its own address, and nothing else below it (RS-1, RS-5)',
    'metadata',
    async (target) => {
      for (const path of [metadataRoot, `${metadataRoot}/`, `${metadataRoot}/mcp`]) {
        const answer = await target.send({ path });
        assert.deepEqual(
          [answer.status, answer.headers['access-control-allow-origin']],
          [200, '*'],
        );
        assert.equal(JSON.parse(answer.text).resource, 'http://localhost:3333/mcp');
        const head = await target.send({ method: 'HEAD', path });
        assert.deepEqual([head.status, head.text], [200, '']);
      }
      const unknown = await target.send({ path: `${metadataRoot}/other` });
      assert.equal(unknown.status, 404);
    },
  ),
  row(
    'a preflight is answered without a token, and challenges can be read across origins (RS-15, RS-16)',
    'cors',
    async (target) => {
      const origin: [string, string] = ['Origin', 'http://localhost:6274'];
      const preflight = await target.send({
        method: 'OPTIONS',
        headers: [
          origin,
          ['Access-Control-Request-Method', 'POST'],
          ['Access-Control-Request-Headers', 'authorization,mcp-protocol-version'],
        ],
      });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers['access-control-allow-origin'], 'http://localhost:6274');
      assert.match(
        preflight.headers['access-control-allow-headers'] ?? '',
        /mcp-protocol-version/i,
      );
      const refused = await target.send({ body: toolCall('list_todos'), headers: [origin] });
      const token = await target.issuer.token();
      const called = await target.send({
        token,
        body: toolCall('list_todos', { text: 'x' }),
        headers: [origin, accept],
      });
      for (const answer of [refused, called]) {
        assert.equal(answer.headers['access-control-allow-origin'], 'http://localhost:6274');
        assert.match(answer.headers['access-control-expose-headers'] ?? '', /www-authenticate/i);
      }
      assert.deepEqual([refused.status, called.status], [401, 200]);
    },
    ['list_todos'],
  ),
  row(
    'a foreign Origin or Host is 403 before the token is read (RS-50, DNS rebinding)',
    'origin',
    async (target) => {
      const token = await target.issuer.token();
      const bodies = { token, body: toolCall('list_todos') };
      for (const headers of [
        [['Origin', 'https://evil.example']],
        [['Origin', 'null']],
        [['Host', 'evil.example']],
        [['Host', `localhost.evil.example:${target.port}`]],
      ] as [string, string][][]) {
        assert.equal((await target.send({ ...bodies, headers })).status, 403, String(headers));
        assert.equal((await target.send({ method: 'GET', token, headers })).status, 403);
      }
    },
  ),
  row(
    'a missing scope is 403 with every scope the call needs, before any tool runs (RS-39, RS-52)',
    'scope',
    async (target) => {
      const token = await tokenFor(target, 'todo:read');
      for (const body of [
        toolCall('add_todo'),
        `[${toolCall('list_todos')},${toolCall('add_todo', {}, 2)}]`,
      ]) {
        const answer = await target.send({ token, body, headers: [accept] });
        assert.equal(answer.status, 403, answer.text);
        const { error, scope, resource_metadata: metadata } = challengeOf(answer);
        assert.deepEqual(
          [error, metadata],
          ['insufficient_scope', `http://localhost:3333${metadataRoot}/mcp`],
        );
        assert.ok(scope?.split(' ').includes('todo:write'));
        assert.match(String(answer.headers['www-authenticate']), /^Bearer (?!.*Bearer)/);
      }
    },
  ),
  row(
    'headers that name a harmless tool do not change what the body asks for (RS-36)',
    'mcpHeaders',
    async (target) => {
      const token = await tokenFor(target, 'todo:read');
      const headers: [string, string][] = [
        accept,
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Name', 'list_todos'],
        ['X-HTTP-Method-Override', 'GET'],
      ];
      const answer = await target.send({ token, body: toolCall('add_todo'), headers });
      assert.equal(answer.status, 403);
    },
  ),
  row('bodies nobody should read reach no tool (RS-38, RS-42)', 'bodies', (target) =>
    refusedBodies(
      target,
      Object.keys(unreadableBodies()).filter((name) => !parserBodies.includes(name)),
    ),
  ),
  row('a body of two media types is of none (RS-42)', 'twoTypes', async (target) => {
    const token = await target.issuer.token();
    const headers: [string, string][] = [json, ['Content-Type', 'text/plain']];
    const answer = await target.send({ token, body: toolCall('list_todos'), headers });
    assert.equal(answer.status, 415);
  }),
  row(
    'bodies that two parsers may read differently are refused (RS-36, RS-42)',
    'parserBodies',
    (target) => refusedBodies(target, parserBodies),
  ),
  row(
    'a call hidden in the body of GET or DELETE runs nothing (RS-36)',
    'hiddenBody',
    async (target) => {
      const token = await tokenFor(target, 'todo:read todo:write');
      const body = toolCall('add_todo', { text: 'x' });
      for (const method of ['GET', 'DELETE']) {
        const headers: [string, string][] = [accept, ['Content-Length', String(body.length)]];
        const answer = await target.send({ method, token, body, headers });
        assert.ok(answer.status >= 400, `${method}: ${answer.status}`);
      }
    },
  ),
  row(
    'a tool gets exactly the value that was checked, and the caller who was (RS-26, RS-36, RS-51)',
    'exactBody',
    async (target) => {
      const token = await tokenFor(target, 'todo:read');
      const text = {
        'é\u2028"\\': [1e-7, -0, '\u0000', null, true, { __proto: {} }],
        big: 2 ** 53,
      };
      const body = toolCall('list_todos', { text });
      const answer = await target.send({ token, body, headers: [accept] });
      assert.equal(answer.status, 200, answer.text);
      const expected = JSON.parse(JSON.stringify({ tool: 'list_todos', text, client: 'skc_1' }));
      assert.deepEqual(reportOf(answer), expected);
    },
    ['list_todos'],
  ),
  row('a notification is 202 with nothing in it (RS-46)', 'notification', async (target) => {
    const token = await target.issuer.token();
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const answer = await target.send({ token, body, headers: [accept] });
    assert.deepEqual([answer.status, answer.text], [202, '']);
  }),
  row(
    'what a tool sends first arrives while it still works: nothing is buffered (RS-46)',
    'stream',
    async (target) => {
      const { first, last, text } = await arrivals(target, await target.issuer.token());
      assert.match(text, /progress/);
      assert.ok(last - first > slowMs / 2, `first after ${first} ms, end after ${last} ms`);
    },
    ['slow'],
  ),
  row(
    'the official client lists and calls a tool, and gets 403 for the one its token does not cover (RS-46, RS-51)',
    'client',
    async (target) => {
      const token = await tokenFor(target, 'todo:read');
      const client = new Client({ name: 'table', version: '1.0.0' });
      const address = new URL(`http://localhost:${target.port}/mcp`);
      const headers = { authorization: `Bearer ${token}` };
      await client.connect(
        new StreamableHTTPClientTransport(address, { requestInit: { headers } }),
      );
      try {
        const { tools } = await client.listTools();
        assert.ok(tools.some(({ name }) => name === 'list_todos'));
        const result = await client.callTool({ name: 'list_todos', arguments: { text: 'x' } });
        assert.match(JSON.stringify(result), /skc_1/);
        await client.callTool({ name: 'add_todo', arguments: { text: 'x' } }).then(
          () => assert.fail('the call needs todo:write'),
          () => undefined,
        );
      } finally {
        await client.close();
      }
    },
    ['list_todos'],
  ),
];
