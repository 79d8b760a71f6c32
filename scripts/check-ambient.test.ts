import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAmbient } from './check-ambient.ts';
import { plant } from './test-plant.ts';

const FILE = 'packages/server/src/users/users.ts';

const REFUSED: readonly string[] = [
  'export const a = new Date();',
  'export const a = Date.now();',
  "export const a = Date['now']();",
  'export const a = Date.now;',
  'export const a = Math.random();',
  "export const a = await fetch('https://x.example');",
  "export const a = await globalThis.fetch('https://x.example');",
  'export const a = crypto.randomUUID();',
  'export const a = globalThis.crypto.getRandomValues(new Uint8Array(1));',
  "import { randomBytes } from 'node:crypto';",
  "import { randomBytes as bytes } from 'node:crypto';",
  "import { setTimeout } from 'node:timers/promises';",
  'setTimeout(() => {}, 10);',
  "export const a = process.env['X'];",
  'export const a = `${`${Date.now()}`}`;',
];

for (const line of REFUSED) {
  test(`ambient check: ${line.replace('export const a = ', '')} is refused`, (t) => {
    const { problems } = checkAmbient(plant(t, { [FILE]: `${line}\n` }), {});

    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', /users\.ts:1: /);
  });
}

const ALLOWED: readonly string[] = [
  'export const a = new Date(0);',
  "// Date.now() in a comment\nexport const a = 'Math.random()';",
  "import { createHash } from 'node:crypto';",
  'export const a = (ctx: { fetch: (x: string) => string }): string => ctx.fetch("x");',
  'export const a = ({ fetch }: { fetch: (x: string) => string }): string => fetch("x");',
];

for (const line of ALLOWED) {
  test(`ambient check: ${line.split('\n').at(-1)} is allowed`, (t) => {
    assert.deepEqual(checkAmbient(plant(t, { [FILE]: `${line}\n` }), {}).problems, []);
  });
}

test('ambient check: runtime/ and tests are not looked at, and nothing else is left out', (t) => {
  const clock = 'export const a = Date.now();\n';
  const root = plant(t, {
    'packages/server/src/runtime/clock.ts': clock,
    'packages/server/src/users/users.test.ts': clock,
    'packages/server/src/users/runtime/clock.ts': clock,
    'packages/resource-server/src/verify.ts': clock,
  });

  const { problems, looked } = checkAmbient(root, {});

  assert.equal(looked, 2);
  assert.equal(problems.length, 2);
});

test('ambient check: an exception counts for its file only, and must have one', (t) => {
  const root = plant(t, { [FILE]: 'export const a = Date.now();\n' });

  assert.deepEqual(checkAmbient(root, { [FILE]: 'a reason' }).problems, []);
  assert.match(checkAmbient(root, { 'gone.ts': 'a reason', [FILE]: '' }).problems[0] ?? '', /gone/);
});
