import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { assetPath, assets } from './assets.ts';
import { sampleFrame, samplePages } from './samples.ts';

const pages = Object.entries(samplePages());
const count = (text: string, pattern: RegExp): number => (text.match(pattern) ?? []).length;

test('pages: exactly one main and one h1, a language and a direction on each', () => {
  assert.ok(pages.length > 45);
  for (const [name, page] of pages) {
    const markup = page.toString();
    assert.equal(count(markup, /<main\b/g), 1, name);
    assert.equal(count(markup, /<h1\b/g), 1, name);
    assert.match(markup, /^<!doctype html>\n<html lang="en" dir="ltr">/, name);
    assert.match(markup, /<title>[^<]+ · Acme<\/title>/, name);
    assert.match(markup, /req_8f3k2m9x4c/, name);
  }
});

test('pages: no inline script, style or handler, and nothing from another origin (AS-129)', () => {
  for (const [name, page] of pages) {
    const markup = page.toString();
    assert.doesNotMatch(
      markup,
      /\sstyle\s*=|<style|\son[a-z]+\s*=|<base|<iframe|<object|http-equiv/i,
      name,
    );
    for (const [, address] of markup.matchAll(
      /<(?:script|link|img|source)\b[^>]*?(?:src|href|srcset)="([^"]*)"/g,
    )) {
      assert.match(address ?? '', /^\/assets\/[a-z]+\.[\w-]{12}\.(css|js|svg)$/, name);
    }
    assert.doesNotMatch(markup, /<script(?![^>]*\ssrc=)/, name);
  }
});

test('pages: every step is a POST form that says its name and carries the hidden fields back (surface 7)', () => {
  const steps = new Set<string>();
  for (const [name, page] of pages) {
    const forms = [...page.toString().matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(
      ([form]) => form,
    );
    assert.ok(forms.length > 0 || /^(error-|joined|nothing|signed-out)/.test(name), name);
    for (const form of forms) {
      const step = /^<form method="post" action="\/sample" data-step="([a-z-]+)"/.exec(form)?.[1];
      assert.ok(step, name);
      steps.add(step);
      assert.match(form, /<input type="hidden" name="csrf" value="c2FtcGxlLXRva2Vu">/, name);
      assert.match(form, /<input type="hidden" name="request" value="req_8f3k2m9x4c">/, name);
    }
  }
  const contract = [
    'confirm-link',
    'consent',
    'email-code',
    'identify',
    'invitation',
    'pick-account',
    'pick-organization',
    'sign-out',
    'sign-up',
    'single-sign-on',
  ];
  assert.deepEqual(
    contract.filter((step) => !steps.has(step)),
    [],
  );
});

test('pages: script and attribute injection through every text a stranger chooses does nothing (AS-129, AS-135)', () => {
  const attacks = [
    '"><script>alert(1)</script>',
    `' onmouseover='alert(1)`,
    '</title><base href="https://evil.example/"><form action="https://evil.example/">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    '<img src=x onerror=alert(1)>',
  ];
  for (const attack of attacks) {
    const outside = (text: string): string =>
      /^\//.test(text) || URL.canParse(text) ? text : attack;
    for (const [name, page] of Object.entries(samplePages(sampleFrame, outside))) {
      const clean = samplePages()[name]?.toString() ?? '';
      const markup = page.toString();
      for (const tag of ['script', 'form', 'base', 'meta', 'img', 'input', 'a', 'button', 'main']) {
        const pattern = new RegExp(`<${tag}[\\s>/]`, 'g');
        assert.equal(
          count(markup, pattern),
          count(clean, pattern),
          `${name}: <${tag}> with ${attack}`,
        );
      }
      assert.doesNotMatch(markup.replace(/"[^"]*"/g, '""'), /<[^>]*\son[a-z]+=/, name);
    }
  }
});

test('pages: javascript and data addresses never become links, form targets or sources (AS-135)', () => {
  for (const attack of [
    'javascript:alert(1)//https://x.example',
    'data:text/html,x',
    ' javascript:alert(1)',
    '//evil.example',
    '/\\evil.example',
  ]) {
    for (const [name, page] of Object.entries(samplePages(sampleFrame, () => attack))) {
      for (const [, address = ''] of page
        .toString()
        .matchAll(/\s(?:href|action|src|formaction|srcset)="([^"]*)"/g)) {
        assert.match(address, /^(?:https:\/\/acme\.example\/|\/(?![/\\]))/, `${name}: ${address}`);
      }
    }
  }
});

test('pages: HTML, styles and scripts stay within the first-load budget', () => {
  for (const [name, page] of pages) assert.ok(gzipSync(page.toString()).length <= 6 * 1024, name);
  const css = assets.get(assetPath('hosted.css'));
  assert.ok(css !== undefined && css.gzip.length <= 9 * 1024);
  const scripts = [...assets.values()].filter((asset) => asset.path.endsWith('.js'));
  assert.equal(scripts.length, 3);
  assert.ok(scripts.reduce((sum, script) => sum + script.gzip.length, 0) <= 6 * 1024);
});

test('assets: public names change with the content, compressed copies fit, scripts write no markup', () => {
  for (const asset of assets.values()) {
    assert.match(asset.path, /^\/assets\/[a-z]+\.[\w-]{12}\.(css|js|svg)$/);
    assert.equal(assets.get(asset.path), asset);
    assert.deepEqual(gzipSync(asset.body, { level: 9 }), asset.gzip);
    assert.deepEqual(brotliCompressSync(asset.body), asset.brotli);
    assert.doesNotMatch(
      asset.body.toString(),
      /innerHTML|outerHTML|document\.write|insertAdjacent|eval\(|https?:\/\/(?!www\.w3\.org)/,
    );
  }
  assert.equal(assets.get('/assets/../html.ts'), undefined);
});
