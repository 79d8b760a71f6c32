import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededChance } from '../testing/chance.ts';
import {
  matchRedirectUri,
  redirectKind,
  redirectUriProblem,
  withParameters,
} from './redirect-uri.ts';
import { isAtOrBelow, resourceKey } from './resource-indicator.ts';

// What holds for every URI, tried on many that are put together from pieces that parsers disagree about.

const SCHEMES = [
  'https',
  'http',
  'HTTPS',
  'hTTp',
  'javascript',
  'data',
  'cursor',
  'com.example.app',
  'blob',
  'ms-x',
  'file',
  '',
];
const AFTER_SCHEME = ['://', ':', ':/', ':///', ':\\\\', '://\\', '//', ':\t//'];
const HOSTS = [
  'client.example',
  'Client.Example',
  'client.example.',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'localhost.evil.example',
  '127.0.0.1',
  '127.1',
  '127.0.0.1.nip.io',
  '0x7f.1',
  '2130706433',
  '0.0.0.0',
  '[::1]',
  '[::1%25eth0]',
  '[::ffff:127.0.0.1]',
  'user@client.example',
  'client.example@evil.example',
  'client.example\\@evil.example',
  'client.example%40evil.example',
  'client.example%2eevil.example',
  'clıent.example',
  'xn--client-abc.example',
  '*.example',
  'client_x.example',
  '',
];
const PORTS = [
  '',
  ':443',
  ':80',
  ':0',
  ':8443',
  ':65535',
  ':65536',
  ':99999',
  ':',
  ':8080:80',
  ':08080',
  ':-1',
];
const PATHS = [
  '',
  '/',
  '/cb',
  '/cb/',
  '/CB',
  '//cb',
  '/a/../cb',
  '/a/%2e%2e/cb',
  '/a%2fcb',
  '/a%5ccb',
  '/cb;x',
  '/cb\\x',
  '/./cb',
  '/cb%00',
  '/mcp',
  '/mcpx',
  '/mcp/x',
];
const QUERIES = [
  '',
  '?',
  '?x=1',
  '?code=1',
  '?c%6fde=1',
  '?state',
  '?x=1&iss=2',
  '?a=b#',
  '?a=%0d%0a',
];
const ENDS = ['', '#', '#f', ' ', '\n', '\0', '\u202e', '%0d%0a'];

function maker(seed: number, queries = QUERIES): () => string {
  const chance = seededChance(seed);
  const one = (list: readonly string[]): string =>
    // The first of each list is harmless, so that enough is accepted.
    list[chance(2) === 0 ? 0 : chance(list.length)] ?? '';
  return () =>
    `${one(SCHEMES)}${one(AFTER_SCHEME)}${one(HOSTS)}${one(PORTS)}${one(PATHS)}${one(queries)}${one(ENDS)}`;
}

test('a redirect URI that is accepted reads the same to everybody, and carries responses without losing itself (AS-53, AS-56, parser differential)', () => {
  const next = maker(53);
  const accepted = new Set<string>();
  for (let round = 0; round < 20_000; round += 1) {
    const uri = next();
    if (redirectUriProblem(uri, { privateUseSchemes: 'allow' }) !== undefined) continue;
    accepted.add(uri);
    const url = new URL(uri);
    assert.equal(url.username + url.password + url.hash, '', uri);
    assert.ok(!['javascript:', 'data:', 'blob:', 'file:', 'ms-x:'].includes(url.protocol), uri);
    const kind = redirectKind(uri);
    if (kind === 'loopback') assert.match(url.hostname, /^(localhost|127\.0\.0\.1|\[::1\])$/, uri);
    if (kind !== 'private-use') {
      const written = /^https?:\/\/(\[[^\]]+\]|[^/?:]+)/.exec(uri)?.[1]?.toLowerCase();
      assert.equal(url.hostname, written, uri);
    }
    const answered = new URL(
      withParameters(uri, { code: 'c&d=e', state: undefined, iss: 'https://e' }),
    );
    assert.equal(answered.origin, url.origin, uri);
    assert.equal(answered.pathname, url.pathname, uri);
    assert.deepEqual(
      [answered.searchParams.getAll('code'), answered.searchParams.getAll('iss')],
      [['c&d=e'], ['https://e']],
      uri,
    );
    assert.equal(answered.searchParams.has('state'), false);
    for (const [name, value] of url.searchParams)
      assert.ok(answered.searchParams.getAll(name).includes(value), uri);
  }
  assert.ok(accepted.size > 50, `only ${accepted.size} were accepted`);
});

test('a presented redirect URI matches only what is equal, or equal but for the port of an http loopback (AS-49, AS-50, open redirection)', () => {
  const next = maker(49);
  const registered = new Set<string>();
  while (registered.size < 40) {
    const uri = next();
    if (redirectUriProblem(uri, { privateUseSchemes: 'allow' }) === undefined) registered.add(uri);
  }
  const list = [
    ...registered,
    'http://localhost/cb',
    'http://127.0.0.1:33418/',
    'http://[::1]/cb?x=1',
  ];
  const chance = seededChance(8252);
  const any = (texts: readonly string[]): string => texts[chance(texts.length)] ?? '';
  const local = (): string =>
    `http://${any(['localhost', '127.0.0.1', '[::1]', any(HOSTS)])}${any(PORTS)}${any(['/cb', '/', any(PATHS)])}${any(['', '', any(QUERIES)])}`;
  let loopbacks = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const presented = round % 2 === 0 ? next() : local();
    const match = matchRedirectUri(list, presented);
    if (match === undefined || match === presented) {
      assert.equal(match === presented, list.includes(presented), presented);
      continue;
    }
    loopbacks += 1;
    const [known, given] = [new URL(match), new URL(presented)];
    assert.deepEqual([known.protocol, given.protocol], ['http:', 'http:'], presented);
    assert.match(given.hostname, /^(localhost|127\.0\.0\.1|\[::1\])$/, presented);
    assert.deepEqual(
      [given.hostname, given.pathname, given.search, given.username, given.hash],
      [known.hostname, known.pathname, known.search, '', ''],
      presented,
    );
  }
  assert.ok(loopbacks > 100, `only ${loopbacks} loopback matches`);
});

test('a resource that matches names, to every parser, the registered server or an address below it (AS-36, audience confusion)', () => {
  const next = maker(36, ['', '?', '?x=1']);
  const servers = [
    'https://client.example',
    'https://client.example/mcp',
    'https://client.example:8443/mcp',
  ];
  let matches = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const value = next();
    const key = resourceKey(value);
    if (key === undefined) continue;
    assert.equal(resourceKey(key), key, `${value}: the key of a key is itself`);
    const url = new URL(value);
    assert.equal(url.username + url.password + url.hash + url.search, '', value);
    for (const server of servers) {
      const serverKey = resourceKey(server);
      assert.ok(serverKey !== undefined);
      if (!isAtOrBelow(key, serverKey)) continue;
      matches += 1;
      const named = new URL(server);
      assert.equal(url.origin, named.origin, value);
      const base = named.pathname.replace(/\/$/, '');
      assert.ok(url.pathname === base || url.pathname.startsWith(`${base}/`), value);
    }
  }
  assert.ok(matches > 50, `only ${matches} matches`);
});
