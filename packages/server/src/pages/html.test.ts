import assert from 'node:assert/strict';
import { test } from 'node:test';
import { html, safeUrl } from './html.ts';

test('markup: text and attribute values are escaped, so a value cannot leave its place (AS-135)', () => {
  const attack = `"><script>alert(1)</script>'&`;
  assert.equal(
    html`<a title="${attack}">${attack}</a>`.toString(),
    '<a title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;">&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;</a>',
  );
});

test('markup: false and undefined print nothing, numbers print, lists are joined', () => {
  const list = [html`<b>${1}</b>`, html`<b>${2n}</b>`];
  assert.equal(html`${false}${undefined}${0}${list}`.toString(), '0<b>1</b><b>2</b>');
});

test('markup: an object that claims to be escaped is refused (forged isEscaped)', () => {
  const forged = Object.assign(new String('<script>'), { isEscaped: true });
  const claims: unknown[] = [
    forged,
    { isEscaped: true, toString: () => '<script>' },
    Promise.resolve('x'),
  ];
  for (const claim of claims) {
    assert.throws(() => html`${claim as string}`, TypeError); // what a wrong cast would let through
    assert.throws(() => html`${[claim] as never}`, TypeError);
  }
  assert.throws(() => html`${null as never}`, TypeError);
  assert.throws(() => html`${true as never}`, TypeError);
});

test('addresses: only absolute http and https without credentials may become links (AS-135)', () => {
  assert.equal(safeUrl('https://a.example/x?y=1#z'), 'https://a.example/x?y=1#z');
  assert.equal(safeUrl('http://a.example'), 'http://a.example/');
  const refused = [
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://a.example/x',
    'cursor://callback',
    'https://known.example@other.example/',
    'https://user:password@a.example/',
    '//a.example',
    '/path',
    '',
    'https://',
    undefined,
  ];
  for (const address of refused) assert.equal(safeUrl(address), undefined, String(address));
});
