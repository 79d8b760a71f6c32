import assert from 'node:assert/strict';
import { test } from 'node:test';
import { html } from './html.ts';
import { direction, type Locale, negotiateLocale, rich, t } from './messages.ts';
import { sampleFrame, samplePages } from './samples.ts';

test('texts: values are put in, numbers choose the plural form', () => {
  assert.equal(t('en', 'identify.title', { app: 'Acme' }), 'Sign in to Acme');
  assert.equal(t('en', 'code.wrong', { count: 1 }), "That code isn't right. 1 try left.");
  assert.equal(t('en', 'code.wrong', { count: 4 }), "That code isn't right. 4 tries left.");
});

test('texts: a value is never read as a place for another value or as emphasis', () => {
  assert.equal(
    t('en', 'consent.title', { client: '{server}', server: 'S' }),
    '{server} wants access to S',
  );
  const markup = rich('en', 'consent.selfDeclared', { host: '**{x}** <b>' }).toString();
  assert.equal(
    markup,
    '<strong>Not verified.</strong> This app chose its own name. Check that you know **{x}** &lt;b&gt;.',
  );
});

test('texts: a missing value is an error, not a hole in a security text', () => {
  assert.throws(() => t('en', 'identify.title'), /identify\.title needs a value for \{app\}/);
  assert.throws(() => rich('en', 'consent.title', { client: html`x` }), RangeError);
  assert.throws(() => t('en', 'code.wrong'), RangeError);
});

test('language: ui_locales, then the cookie, then Accept-Language, then the default', () => {
  assert.equal(negotiateLocale({}), 'en');
  assert.equal(negotiateLocale({ uiLocales: 'xx en-GB', fallback: 'en-XA' }), 'en');
  assert.equal(negotiateLocale({ cookie: 'en', fallback: 'en-XA' }), 'en');
  assert.equal(
    negotiateLocale({ acceptLanguage: 'fr;q=0.9, EN-us;q=0.1', fallback: 'en-XA' }),
    'en',
  );
  assert.equal(negotiateLocale({ acceptLanguage: 'fr, en;q=0', fallback: 'en-XA' }), 'en-XA');
  assert.equal(
    negotiateLocale({ uiLocales: 'en-XA', cookie: 'ar-XB' }),
    'en',
    'pseudo-languages are for tests',
  );
  assert.equal(
    negotiateLocale({ acceptLanguage: `${'x,'.repeat(100_000)}en`, fallback: 'en-XA' }),
    'en-XA',
  );
});

test('language: every text of every page comes from the catalogue (pseudo-language shows none in English)', () => {
  const names =
    /Acme|Claude(?: Code)?|ChatGPT|Cursor|VS Code|mcp-remote|MCP Inspector|Pseudo(?: RTL)?/g;
  for (const locale of ['en-XA', 'ar-XB'] satisfies Locale[]) {
    const frame = { ...sampleFrame, locale };
    const outside = (text: string): string => (URL.canParse(text) ? 'https://zz.zz/' : 'Zz');
    for (const [name, page] of Object.entries(samplePages(frame, outside))) {
      assert.match(
        page.toString(),
        new RegExp(`<html lang="${locale}" dir="${direction(locale)}">`),
      );
      const texts = page
        .toString()
        .replace(/<(code|title|time|bdi)\b[^>]*>.*?<\/\1>/g, '')
        .replace(/<[^>]+>|&[a-z]+;/g, '\n')
        .replace(names, '');
      const english = texts.match(/[A-Za-z]*[aeiou][a-z]+/g) ?? [];
      assert.deepEqual(
        english.filter((word) => !PLAIN.has(word)),
        [],
        `${name} in ${locale}`,
      );
    }
  }
});

/** Values of samples that no catalogue holds. */
const PLAIN = new Set([
  'connect',
  'planner',
  'example',
  'planner.example',
  'login',
  'min',
  'limit',
]);
