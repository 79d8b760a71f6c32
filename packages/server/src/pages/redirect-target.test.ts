import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RedirectTarget, redirectLabel, redirectTarget } from './redirect-target.ts';

test('redirect hosts: web, loopback and app schemes are told apart exactly (AS-50, AS-126)', () => {
  const kinds: [string, RedirectTarget['kind']][] = [
    ['https://a.example/cb', 'web'],
    ['http://localhost:3000/cb', 'loopback'],
    ['http://127.0.0.1/cb', 'loopback'],
    ['http://[::1]:9/cb', 'loopback'],
    ['https://localhost/cb', 'web'],
    ['http://localhost.evil.example/cb', 'web'],
    ['http://127.0.0.1.nip.io/cb', 'web'],
    ['http://127.0.0.2/cb', 'web'],
    ['cursor://anysphere.cursor-retrieval/oauth', 'app'],
    ['com.example.app:/cb', 'app'],
    ['not a uri', 'app'],
  ];
  for (const [uri, kind] of kinds) assert.equal(redirectTarget(uri).kind, kind, uri);
});

test('redirect hosts: the registrable domain follows the private section of the suffix list', () => {
  const domain = (uri: string): string | undefined => {
    const target = redirectTarget(uri);
    return target.kind === 'web' ? target.domain : undefined;
  };
  assert.equal(domain('https://a.b.example.co.uk/'), 'example.co.uk');
  assert.equal(domain('https://claude.someone.github.io/'), 'someone.github.io');
  assert.equal(domain('https://203.0.113.9/'), '203.0.113.9');
});

test('redirect hosts: internationalised names keep their punycode, unusual ports are shown', () => {
  assert.deepEqual(redirectTarget('https://clаude.example:8443/'), {
    kind: 'web',
    host: 'xn--clude-5ve.example',
    domain: 'xn--clude-5ve.example',
    unicode: 'clаude.example',
    port: '8443',
  });
  assert.equal(
    redirectLabel(redirectTarget('https://clаude.example:8443/')),
    'xn--clude-5ve.example:8443',
  );
  assert.equal(redirectLabel(redirectTarget('http://localhost:33418/cb')), 'localhost:33418');
  assert.equal(redirectLabel(redirectTarget('cursor://x')), 'cursor:');
});

test('redirect hosts: a long subdomain cannot push the registrable domain away', () => {
  const label = redirectLabel(
    redirectTarget(`https://claude.ai.${'x'.repeat(60)}.${'y'.repeat(60)}.evil.example/`),
  );
  assert.ok(label.endsWith('y.evil.example') && label.startsWith('…') && label.length < 50, label);
});
