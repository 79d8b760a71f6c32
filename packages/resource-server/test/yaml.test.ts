import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadToolScopeMap } from '@gatewarden/resource-server/yaml';
import { ConfigurationError, readToolScopeMap } from '../src/index.ts';
import { scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

const example = `
# Which scopes each tool needs
default: deny
tools:
  list_todos:
    required: [todo:read]
  export_todos:
    required: [todo:read]
    any_of:
      - admin
      - [file:write, file:list]
  delete_todo: { required: [todo:write], high_risk: true }
  __proto__: { required: [never] }
`;

test('a tool map in YAML decides about calls; what it does not list is denied and logged (RS-35, SKILL-12)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, loadToolScopeMap(example)));
  const statusOf = async (scope: string, tool: string): Promise<number> => {
    const token = await issuer.token(scopeClaims(scope));
    return (await server.send({ token, body: toolCall(tool) })).status;
  };
  assert.equal(await statusOf('todo:read', 'list_todos'), 200);
  assert.equal(await statusOf('todo:write', 'list_todos'), 403);
  assert.equal(await statusOf('todo:read admin', 'export_todos'), 200);
  assert.equal(await statusOf('todo:read file:write file:list', 'export_todos'), 200);
  assert.equal(await statusOf('todo:read file:write', 'export_todos'), 403);
  assert.equal(await statusOf('todo:write', 'delete_todo'), 200);
  assert.equal(await statusOf('todo:write', '__proto__'), 403);
  assert.equal(server.events.filter(({ event }) => event === 'tool_not_mapped').length, 0);
  assert.equal(await statusOf('todo:read todo:write admin', 'unlisted'), 403);
  assert.equal(await statusOf('todo:read', 'constructor'), 403);
  assert.equal(server.events.filter(({ event }) => event === 'tool_not_mapped').length, 2);
});

test('a map tells which tools are high-risk, in YAML as in JSON (RS-35)', () => {
  assert.deepEqual(loadToolScopeMap(example).highRiskTools, ['delete_todo']);
  assert.ok(!('highRiskTools' in readToolScopeMap({ tools: {} })), 'nothing to spread');
  const json = '{"tools":{"a":{"high_risk":true},"b":{"high_risk":false},"c":{}}}';
  assert.deepEqual(readToolScopeMap(json).highRiskTools, ['a']);
  assert.deepEqual(loadToolScopeMap(json), readToolScopeMap(json));
  assert.deepEqual(Object.keys(loadToolScopeMap('tools: { 1: {}, on: {}, null: {} }').tools), [
    '1',
    'on',
    'null',
  ]);
  assert.equal(loadToolScopeMap('tools: {}').defaultPolicy, 'deny');
  assert.equal(loadToolScopeMap('tools: {}\ndefault: base').defaultPolicy, 'base');
});

test('a map that could be understood in two ways, or eats the machine, stops the start (RS-35)', () => {
  const bomb = Array.from({ length: 9 }, (_, n) =>
    n === 0
      ? 'a0: &a0 [x, x]'
      : `a${n}: &a${n} [${Array(9)
          .fill(`*a${n - 1}`)
          .join(', ')}]`,
  ).join('\n');
  const wrong: Record<string, string> = {
    empty: '',
    list: '- tools',
    'unknown key': 'tools: {}\ndefualt: deny',
    'unknown key of a tool': 'tools: { x: { requires: [a] } }',
    'key twice': 'tools: { x: { required: [a] }, x: { required: [] } }',
    'top twice': 'tools: {}\ntools: {}',
    alias: 'tools:\n  x: &rule { required: [a] }\n  y: *rule',
    'merge key': 'tools:\n  x: &rule { required: [a] }\n  y: { <<: *rule }',
    bomb: `${bomb}\ntools: {}`,
    'number as scope': 'tools: { x: { required: [1] } }',
    'flag as text': 'tools: { x: { high_risk: "true" } }',
    'yes is no flag': 'tools: { x: { high_risk: yes } }',
    'nothing said': 'tools: { x: }',
    'list as key': 'tools: { ? [a] : { required: [a] } }',
    tag: 'tools: { x: !secret { required: [a] } }',
    'tag of a language': 'tools: { x: !!js/function "x" }',
    'set for a rule': 'tools: { x: !!set { required } }',
    'list of pairs for a rule': 'tools: { x: !!omap [] }',
    'bytes for scopes': 'tools: { x: { required: !!binary YQ== } }',
    'two documents': 'tools: {}\n---\ntools: {}',
    'unknown directive': '%X 1\n---\ntools: {}',
    tabs: 'tools:\n\tx: {}',
    deep: `tools: ${'['.repeat(10_000)}`,
    'deep mapping': `tools: ${'{a: '.repeat(5_000)}`,
    large: `tools: {}\n# ${'x'.repeat(1_048_576)}`,
  };
  for (const [what, text] of Object.entries(wrong)) {
    assert.throws(
      () => loadToolScopeMap(text),
      (error) => error instanceof ConfigurationError && error.code === 'invalid_tool_map',
      what,
    );
  }
});
