import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEntryPoints } from '../src/testing/entry-points.ts';
import { scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration } from '../src/testing/guarded-server.ts';

const version = '2026-07-28';

function message(method: string, params: object = {}, claimed = version): string {
  const meta = claimed === 'none' ? {} : { 'io.modelcontextprotocol/protocolVersion': claimed };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } });
}

function encoded(text: string): string {
  return `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

const call = message('tools/call', { name: 'list_todos', arguments: {} });
const standard: readonly [string, string][] = [
  ['MCP-Protocol-Version', version],
  ['Mcp-Method', 'tools/call'],
];
const named: readonly [string, string][] = [...standard, ['Mcp-Name', 'list_todos']];

test('headers that say something else than the body are refused for MCP 2026-07-28 (RS-37)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, {
    checkMcpHeaders: true,
    tools: { list_todos: 'todo:read' },
  });
  let handled = 0;
  const entries = await startEntryPoints(t, options, () => {
    handled += 1;
    return new Response('{}');
  });
  const token = await issuer.token(scopeClaims('todo:read todo:write'));
  const unicode = message('tools/call', { name: 'töol', arguments: {} });
  const cases: [string, readonly (readonly [string, string])[], number, string?][] = [
    ['equal', named, 200],
    ['encoded', [...standard, ['Mcp-Name', encoded('list_todos')]], 200],
    ['encoded, not ASCII', [...standard, ['Mcp-Name', encoded('töol')]], 200, unicode],
    ['raw, not ASCII', [...standard, ['Mcp-Name', 't\u00f6ol']], 400, unicode],
    ['other tool', [...standard, ['Mcp-Name', 'add_todo']], 400],
    ['other tool, encoded', [...standard, ['Mcp-Name', encoded('add_todo')]], 400],
    ['other case', [...standard, ['Mcp-Name', 'LIST_TODOS']], 400],
    ['not canonical', [...standard, ['Mcp-Name', '=?base64?bGlzdF90b2Rvcw?=']], 400],
    ['not UTF-8', [...standard, ['Mcp-Name', '=?base64?/w==?=']], 400],
    ['no name', standard, 400],
    ['two names', [...named, ['Mcp-Name', 'list_todos']], 400],
    [
      'no method',
      [
        ['MCP-Protocol-Version', version],
        ['Mcp-Name', 'list_todos'],
      ],
      400,
    ],
    [
      'other method',
      [
        ['MCP-Protocol-Version', version],
        ['Mcp-Method', 'ping'],
        ['Mcp-Name', 'list_todos'],
      ],
      400,
    ],
    ['no version', named.slice(1), 400],
    ['older version', [['MCP-Protocol-Version', '2025-11-25'], ...named.slice(1)], 400],
    [
      'version of the header only',
      named,
      200,
      message('tools/call', { name: 'list_todos' }, 'none'),
    ],
    ['the same, other tool', named, 400, message('tools/call', { name: 'add_todo' }, 'none')],
    [
      'prompt',
      [...standard.slice(0, 1), ['Mcp-Method', 'prompts/get'], ['Mcp-Name', 'p']],
      200,
      message('prompts/get', { name: 'p' }),
    ],
    [
      'resource',
      [...standard.slice(0, 1), ['Mcp-Method', 'resources/read'], ['Mcp-Name', 'x:/a']],
      400,
      message('resources/read', { uri: 'x:/b' }),
    ],
    [
      'task',
      [...standard.slice(0, 1), ['Mcp-Method', 'tasks/get'], ['Mcp-Name', 't2']],
      400,
      message('tasks/get', { taskId: 't1' }),
    ],
    [
      'method without name',
      [...standard.slice(0, 1), ['Mcp-Method', 'tools/list']],
      200,
      message('tools/list'),
    ],
    [
      'a method of an object',
      [...standard.slice(0, 1), ['Mcp-Method', 'constructor']],
      200,
      message('constructor'),
    ],
  ];
  for (const entry of entries) {
    for (const [what, headers, status, body = call] of cases) {
      const before = handled;
      const answer = await entry.send({ token, headers, body });
      assert.equal(answer.status, status, `${entry.name}: ${what} ${answer.text}`);
      assert.equal(handled - before, status === 200 ? 1 : 0);
      if (status === 400) assert.equal(JSON.parse(answer.text).error.code, -32020, what);
    }
    const batch = await entry.send({ token, body: `[${call}]`, headers: named });
    assert.equal(JSON.parse(batch.text).error.code, -32600);
  }
});

test('earlier versions, notifications and servers without the option are left to the transport (RS-37)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const checked = await startEntryPoints(
    t,
    declaration(issuer, { checkMcpHeaders: true }),
    () => new Response('{}'),
  );
  const unchecked = await startEntryPoints(t, declaration(issuer), () => new Response('{}'));
  const other: [string, string][] = [['Mcp-Name', 'other']];
  const notification = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/x' });
  for (const entry of checked) {
    const old = message('tools/call', { name: 'list_todos' }, 'none');
    const before: [string, string] = ['MCP-Protocol-Version', '2025-11-25'];
    assert.equal((await entry.send({ token, body: old, headers: [before, ...other] })).status, 200);
    const quiet = await entry.send({ token, body: notification, headers: standard.slice(0, 1) });
    assert.equal(quiet.status, 200);
    const wrong = await entry.send({ token, body: notification, headers: standard });
    assert.equal(wrong.status, 400, 'what a notification does say must be true');
  }
  for (const entry of unchecked)
    assert.equal((await entry.send({ token, body: call, headers: other })).status, 200);
});
