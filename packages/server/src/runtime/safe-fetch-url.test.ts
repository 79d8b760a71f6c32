import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchUrlProblem } from './safe-fetch-url.ts';

test('URLs are judged by their raw text, before a parser repairs them (AS-70)', () => {
  const strict = { allowLoopback: false };
  const bad = [
    'http://client.example/a',
    'ftp://client.example/a',
    'HTTPS://client.example/a',
    'https://Client.example/a',
    'https://user@client.example/a',
    'https://a:b@client.example/a',
    'https://client.example/a#f',
    'https://client.example/a#',
    'https://client.example/a/../b',
    'https://client.example/./a',
    'https://client.example/%2e%2E/a',
    'https://client.example/a\\b',
    'https://client.example\\@evil.example/a',
    'https://client.example:8443/a',
    'https://client.example:0/a',
    'https://client.example:99999/a',
    'https://client/a',
    'https://client.example./a',
    'https://.example/a',
    'https://cliënt.example/a',
    'https://client.example/ä',
    ' https://client.example/a',
    'https://client.example/a b',
    'https://client.example/\r\nx',
    'https:///a',
    'https://',
    'https://localhost/a',
    'https://foo.localhost/a',
    'https://127.0.0.1/a',
    'https://[2606:4700::1]/a',
    `https://client.example/${'a'.repeat(2048)}`,
  ];
  for (const url of bad) assert.notEqual(fetchUrlProblem(url, strict), undefined, url);
  for (const url of [
    'https://client.example/a',
    'https://client.example',
    'https://client.example/a?b=c',
    'https://a.b.client.example/x/y.json',
  ])
    assert.equal(fetchUrlProblem(url, strict), undefined, url);
  for (const url of ['http://localhost:8123/a', 'https://127.0.0.1/a', 'http://[::1]:9/a']) {
    assert.equal(fetchUrlProblem(url, { allowLoopback: true }), undefined, url);
    assert.notEqual(fetchUrlProblem(url, strict), undefined, url);
  }
});
