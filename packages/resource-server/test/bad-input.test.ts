import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseStrictJson } from '../src/strict-json.ts';
import { startEntryPoints } from '../src/testing/entry-points.ts';
import { scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, toolCall } from '../src/testing/guarded-server.ts';

const call = toolCall('add_todo');
const json: readonly [string, string] = ['Content-Type', 'application/json'];

function nested(open: string, close: string, times: number): string {
  return `${open.repeat(times)}1${close.repeat(times)}`;
}

function withArguments(text: string): string {
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add_todo","arguments":${text}}}`;
}

test('hostile bodies end in 4xx at both entry points, never in a handler or a crash (RS-36, RS-38, RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  let handled = 0;
  const options = declaration(issuer, { jsonRpcErrorBody: true, checkMcpHeaders: true });
  const entries = await startEntryPoints(t, options, () => {
    handled += 1;
    return new Response('{}');
  });
  const token = await issuer.token(scopeClaims('todo:read todo:write'));
  const cases: [string, string | Uint8Array, number, (readonly [string, string])[]?][] = [
    ['arrays, 100,000 deep', nested('[', ']', 100_000), 400],
    ['arrays that are never closed', '['.repeat(4_000_000), 400],
    ['objects, 100,000 deep', nested('{"a":', '}', 100_000), 400],
    ['deep arguments', withArguments(nested('[', ']', 100_000)), 400],
    ['arguments a little too deep', withArguments(nested('[', ']', 127)), 400],
    ['10,000 calls', `[${Array(10_000).fill(call).join(',')}]`, 400],
    ['a million numbers', `[${'1,'.repeat(1_000_000)}1]`, 400],
    ['name twice', call.replace('"name"', '"name":"list_todos","name"'), 400],
    ['name twice, escaped', call.replace('"name"', '"name":"list_todos","\\u006eame"'), 400],
    ['a name twice, far below', withArguments('[[{"a":1,"a":2}]]'), 400],
    ['another case', call.replace('"params"', '"Params":{"name":"list_todos"},"params"'), 400],
    ['__proto__ twice', withArguments('{"__proto__":1,"__proto__":2}'), 400],
    ['byte order mark', `\ufeff${call}`, 400],
    ['UTF-16', Buffer.from(call, 'utf16le'), 400],
    ['overlong UTF-8', Buffer.from(call.replace('{}', '"\xc0\xaf"'), 'latin1'), 400],
    ['half a character', Buffer.from(call).subarray(0, -1), 400],
    ['gzip, said', gzipSync(call), 415, [json, ['Content-Encoding', 'gzip']]],
    ['gzip, not said', gzipSync(call), 400],
    ['a bomb', gzipSync(Buffer.alloc(50_000_000)), 415, [json, ['Content-Encoding', 'gzip']]],
    ['deflate beside identity', call, 415, [json, ['Content-Encoding', 'identity, deflate']]],
    ['another charset', call, 415, [['Content-Type', 'application/json; charset=utf-16']]],
    ['two types', call, 415, [['Content-Type', 'application/json, text/plain']]],
    ['types apart', call, 415, [json, ['Content-Type', 'text/plain']]],
    ['too large', withArguments(`"${'x'.repeat(4_200_000)}"`), 413],
    [
      'too large, chunked',
      withArguments(`"${'x'.repeat(4_200_000)}"`),
      413,
      [json, ['Transfer-Encoding', 'chunked']],
    ],
    ['empty', '', 400],
    ['spaces', ' '.repeat(1_000), 400],
    ['two values', `${call}\n${call}`, 400],
    ['control character', call.replace('add_todo', 'add\u0001todo'), 400],
    ['NaN', withArguments('NaN'), 400],
    ['a comment', `/* */${call}`, 400],
  ];
  for (const entry of entries) {
    for (const [what, body, status, headers = [json]] of cases) {
      const answer = await entry.send({ token, method: 'POST', body, headers });
      assert.equal(answer.status, status, `${entry.name}: ${what}`);
      assert.ok(answer.text.length < 1_000, what);
      assert.ok(!answer.text.includes(token));
    }
    assert.equal(handled, 0);
    const good = await entry.send({ token, body: withArguments(nested('[', ']', 100)) });
    assert.equal(good.status, 200, `${entry.name} still works`);
    handled = 0;
  }
});

test('deep nesting is found before it is parsed: nobody stops the process for seconds with brackets (RS-36, RS-42, denial of service)', () => {
  const took = (work: () => void): number => {
    const before = performance.now();
    work();
    return performance.now() - before;
  };
  const attacks = {
    arrays: nested('[', ']', 1_500_000),
    unclosed: '['.repeat(4_000_000),
    'behind a string with brackets and quotes': `["\\"[[",${nested('[', ']', 1_500_000)}]`,
    'behind a long string': `["${'x'.repeat(2_000_000)}",${nested('{"a":', '}', 300_000)}]`,
  };
  for (const [what, text] of Object.entries(attacks)) {
    const parsing = took(() => {
      try {
        JSON.parse(text);
      } catch {
        // one of them is not valid
      }
    });
    let outcome: string | undefined;
    const ours = took(() => {
      outcome = parseStrictJson(text).kind;
    });
    assert.equal(outcome, 'depth', what);
    assert.ok(ours < parsing / 3, `${what}: ${ours} ms, and ${parsing} ms for JSON.parse`);
  }
  const text = `{"a":"${'[{'.repeat(100_000)}\\"","b":[[${'[],'.repeat(50_000)}1]]}`;
  assert.equal(
    parseStrictJson(text).kind,
    'ok',
    'brackets side by side or in strings are not deep',
  );
  for (const broken of ['"', '\\', '["', '["\\"', ']'.repeat(200)])
    assert.equal(parseStrictJson(broken + ' '.repeat(100_000)).kind, 'syntax', broken);
});

test('a body that breaks off, says another length or has trailers is never taken for a call (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  let handled = 0;
  const entries = await startEntryPoints(t, declaration(issuer), () => {
    handled += 1;
    return new Response('{}');
  });
  const token = await issuer.token(scopeClaims('todo:read todo:write'));
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  const size = Buffer.byteLength(call);
  const chunk = `${size.toString(16)}\r\n${call}\r\n`;
  for (const entry of entries) {
    for (const bytes of [
      `${head}Content-Length: ${size + 10}\r\n\r\n${call}`,
      `${head}Content-Length: ${size - 1}\r\nConnection: close\r\n\r\n${call}`,
      `${head}Content-Length: ${size}\r\nContent-Length: ${size + 1}\r\n\r\n${call}`,
      `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`,
      `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n${call}\r\n0\r\n\r\n`,
    ]) {
      const answer = await entry.raw(bytes);
      assert.ok(
        !/^HTTP\/1\.1 2/.test(answer),
        `${entry.name} ${bytes.slice(head.length, head.length + 40)}`,
      );
    }
    assert.equal(handled, 0, entry.name);
    const trailers = `${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}0\r\nAuthorization: Bearer x\r\n\r\n`;
    assert.match(await entry.raw(trailers), /^HTTP\/1\.1 200 /, 'trailers are not headers');
    handled = 0;
  }
});

test('headers that come twice, too long or from nowhere change nothing (RS-10, RS-38, RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, { refuseLaterBatches: true });
  const entries = await startEntryPoints(t, options, () => new Response('{}'));
  const token = await issuer.token();
  const version = 'MCP-Protocol-Version';
  const body = toolCall('list_todos');
  for (const entry of entries) {
    const batch = { token, body: `[${body}]` };
    const once = await entry.send({ ...batch, headers: [[version, '2025-03-26']] });
    assert.equal(once.status, 200, entry.name);
    const twice: [string, string][] = [
      [version, '2025-03-26'],
      [version, '2025-11-25'],
    ];
    assert.equal((await entry.send({ ...batch, headers: twice })).status, 400);
    const odd: [string, string][] = [
      ['X-Forwarded-Host', 'evil.example'],
      ['X-Original-URL', '/health'],
      ['X-HTTP-Method', 'GET'],
      ['Mcp-Session-Id', 'x'.repeat(4_000)],
    ];
    assert.equal((await entry.send({ token, body, headers: odd })).status, 200);
    const hosts = await entry.send({
      token,
      body,
      headers: [
        ['Host', 'localhost'],
        ['Host', 'evil.example'],
      ],
    });
    assert.ok(hosts.status === 400 || hosts.status === 403);
    const huge = await entry.send({ token, body, headers: [['X-Large', 'x'.repeat(20_000)]] });
    assert.equal(huge.status, 431);
  }
});
