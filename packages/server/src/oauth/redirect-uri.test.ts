import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  matchRedirectUri,
  redirectKind,
  redirectUriProblem,
  withParameters,
} from './redirect-uri.ts';

const known = { privateUseSchemes: 'known' } as const;

const accepted = [
  'https://claude.ai/api/mcp/auth_callback',
  'https://client.example/cb?tenant=1',
  'https://client.example:8443/cb',
  'http://localhost/callback',
  'http://127.0.0.1:33418/',
  'http://[::1]:9999/cb',
  'cursor://anysphere.cursor-mcp/oauth/callback',
  'vscode://vscode.microsoft-authentication',
  'vscode-insiders://x/y',
  'com.example.app:/oauth2redirect',
];

const refused: readonly [string, RegExp][] = [
  ['', /1 to 2048/],
  ['https://client.example/cb#top', /fragment/],
  ['https://user@client.example/cb', /user info/],
  ['https://user:pw@client.example/cb', /user info/],
  ['https://*.client.example/cb', /wildcard/],
  [' https://client.example/cb', /spaces/],
  ['https://client.example/c\tb', /spaces/],
  ['https://client.example/cb\r\nSet-Cookie:x', /spaces/],
  ['https://clïent.example/cb', /non-ASCII/],
  ['HTTPS://client.example/cb', /lower case/],
  ['https:\\\\client.example\\cb', /characters that a URI cannot have/],
  ['https://client.example/a/../b', /dot segments/],
  ['https://client.example/%2e%2e/b', /dot segments/],
  ['https://client.example:0/cb', /port/],
  ['https://client.example:99999/cb', /port/],
  ['https:///cb', /no host/],
  ['https:cb', /no host/],
  ['//client.example/cb', /absolute/],
  ['/cb', /absolute/],
  ['http://client.example/cb', /http is accepted only/],
  ['http://localhost.evil.example/cb', /http is accepted only/],
  ['http://127.0.0.1.nip.io/cb', /http is accepted only/],
  ['http://[::ffff:127.0.0.1]/cb', /http is accepted only/],
  ['http://0x7f.1/cb', /http is accepted only/],
  ['http://127.1/cb', /http is accepted only/],
  ['http://[::1%25eth0]/cb', /host/],
  ['https://0x7f.1/cb', /plain form/],
  ['https://127.1/cb', /plain form/],
  ['https://client.example/cb?code=1', /code/],
  ['https://client.example/cb?state=1', /state/],
  ['https://client.example/cb?iss=x', /iss/],
  ['https://client.example/cb?error=x', /error/],
  ['javascript:alert(1)', /never accepted/],
  ['JavaScript:alert(1)', /lower case/],
  ['data:text/html,x', /never accepted/],
  ['intent://x#Intent;end', /fragment/],
  ['intent://x', /never accepted/],
  ['ms-settings:x', /never accepted/],
  ['itms-apps://x', /never accepted/],
  ['search-ms:query', /never accepted/],
  ['mailto:a@b.example', /never accepted/],
  ['file:///etc/passwd', /never accepted/],
  ['skype:x', /registered for another use/],
  ['unlisted:/cb', /private_use_schemes/],
];

for (const uri of accepted) {
  test(`a client may register ${uri} (AS-53, AS-54, pitfall 9)`, () => {
    assert.equal(redirectUriProblem(uri, known), undefined);
  });
}

for (const [uri, why] of refused) {
  test(`a client cannot register ${JSON.stringify(uri)} (AS-53, AS-54, AS-22)`, () => {
    assert.match(redirectUriProblem(uri, known) ?? 'accepted', why);
  });
}

test("the policy on private-use schemes is the administrator's: deny, known, allow (AS-54)", () => {
  assert.match(
    redirectUriProblem('cursor://x/cb', { privateUseSchemes: 'deny' }) ?? '',
    /private_use_schemes/,
  );
  assert.equal(redirectUriProblem('unlisted:/cb', { privateUseSchemes: 'allow' }), undefined);
  assert.match(
    redirectUriProblem('javascript:alert(1)', { privateUseSchemes: 'allow' }) ?? '',
    /never/,
  );
  assert.match(redirectUriProblem('skype:x', { privateUseSchemes: 'allow' }) ?? '', /another use/);
});

test('a presented redirect URI must equal a registered one: slash, case and query count (AS-49)', () => {
  const registered = ['https://client.example/cb'];
  assert.equal(
    matchRedirectUri(registered, 'https://client.example/cb'),
    'https://client.example/cb',
  );
  for (const other of [
    'https://client.example/cb/',
    'https://client.example/CB',
    'https://CLIENT.example/cb',
    'https://client.example/cb?x=1',
    'https://client.example:443/cb',
    'https://client.example:8443/cb',
    'https://client.example/cb#x',
    'https://client.example/c',
  ]) {
    assert.equal(matchRedirectUri(registered, other), undefined, other);
  }
});

test('on http loopback only the port is free (AS-50, RFC 8252 section 7.3)', () => {
  const registered = ['http://localhost/callback'];
  assert.ok(matchRedirectUri(registered, 'http://localhost:51763/callback'));
  assert.ok(matchRedirectUri(registered, 'http://localhost/callback'));
  assert.ok(matchRedirectUri(['http://127.0.0.1:33418'], 'http://127.0.0.1:5/'));
  assert.ok(matchRedirectUri(['http://[::1]/cb?x=1'], 'http://[::1]:81/cb?x=1'));
  for (const other of [
    'http://127.0.0.1:51763/callback',
    'http://[::1]:51763/callback',
    'https://localhost:51763/callback',
    'http://localhost:0/callback',
    'http://localhost:99999/callback',
    'http://localhost:051/callback',
    'http://localhost:1/callback/',
    'http://localhost:1/callback?x=1',
    'http://localhost:1/Callback',
    'http://LOCALHOST:1/callback',
    'http://localhost.evil.example:1/callback',
    'http://localhost@evil.example/callback',
    'http://localhost:1\\@evil.example/callback',
    'http://localhost:1/callback#x',
    'http://localhost:1/callback%0d%0aX: y',
    'HTTP://localhost:1/callback',
  ]) {
    assert.equal(matchRedirectUri(registered, other), undefined, other);
  }
  assert.equal(matchRedirectUri(['https://localhost/cb'], 'https://localhost:9/cb'), undefined);
});

test('the kinds of redirect URI are told apart exactly', () => {
  assert.equal(redirectKind('http://localhost:9/cb'), 'loopback');
  assert.equal(redirectKind('https://localhost/cb'), 'https');
  assert.equal(redirectKind('cursor://x/cb'), 'private-use');
});

test('answers are appended to the registered query, which stays (AS-56)', () => {
  assert.equal(
    withParameters('https://c.example/cb', { code: 'a b', state: undefined }),
    'https://c.example/cb?code=a%20b',
  );
  assert.equal(
    withParameters('https://c.example/cb?t=1', { code: 'x', iss: 'https://e.example' }),
    'https://c.example/cb?t=1&code=x&iss=https%3A%2F%2Fe.example',
  );
  assert.equal(
    withParameters('com.example.app:/cb', { state: '=+/&#' }),
    'com.example.app:/cb?state=%3D%2B%2F%26%23',
  );
});
