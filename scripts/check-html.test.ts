import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHtml } from './check-html.ts';
import { plant } from './test-plant.ts';

const FILE = 'packages/server/src/login/sign-in.page.ts';
const HOLE = '$' + '{x}';

const REFUSED: readonly (readonly [string, string])[] = [
  ['a value in an unquoted attribute', `html\`<a href=${HOLE}>x</a>\``],
  ['a fixed unquoted attribute', 'html`<a href=/x>x</a>`'],
  ['an unquoted attribute behind a quoted one', `html\`<a class="b" href=${HOLE}>x</a>\``],
  ['a fragment that is an unquoted attribute', `html\` value=${HOLE}\``],
  ['a style attribute', 'html`<p style="color:red">x</p>`'],
  ['an inline handler', 'html`<p onclick="go()">x</p>`'],
  ['a value between attributes', `html\`<input ${HOLE}>\``],
  ['a tag name from a value', `html\`<${HOLE}>\``],
  ['a value inside a script', `html\`<script>let a = "${HOLE}"</script>\``],
  ['raw()', "raw('<b>')"],
  ['markup as a string', "'<p>x</p>'"],
  ['markup in a plain template', `\`<a href="${HOLE}">x</a>\``],
  ['an object that claims to be escaped', '({ isEscaped: true })'],
];

for (const [what, line] of REFUSED) {
  test(`markup check: ${what} is refused`, (t) => {
    const { problems } = checkHtml(plant(t, { [FILE]: `export const page = ${line};\n` }));

    assert.notEqual(problems.length, 0);
    assert.match(problems[0] ?? '', /sign-in\.page\.ts:1: /);
  });
}

test('markup check: the builder of hono is imported by pages/html.ts only', (t) => {
  const line = "import { html } from 'hono/html';\nexport const a = html`<b>x</b>`;\n";

  assert.equal(checkHtml(plant(t, { [FILE]: line })).problems.length, 1);
  assert.deepEqual(checkHtml(plant(t, { 'packages/server/src/pages/html.ts': line })).problems, []);
});

const ALLOWED: readonly string[] = [
  `html\`<a href="${HOLE}" class='b'>${HOLE}</a>\``,
  'html`<input type="checkbox"${on && html` checked`}>`',
  'html`<div${on ? html` class="a"` : false}>a = b</div>`',
  'html`<p title="a > b" lang="en">x=y</p>`',
];

for (const line of ALLOWED) {
  test(`markup check: ${line} is allowed`, (t) => {
    const root = plant(t, { [FILE]: `export const page = ${line};\n` });

    assert.deepEqual(checkHtml(root).problems, []);
    assert.notEqual(checkHtml(root).looked, 0);
  });
}
