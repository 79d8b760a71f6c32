import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  asLanding,
  asPage,
  cookieBrowser,
  type Landing,
  type Page,
} from '../src/testing/cookie-browser.ts';
import { LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { authorizeWith } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });

async function open(target: string): Promise<Page | Landing> {
  return await cookieBrowser(site.gatewarden.url).open(target);
}

function assertError(seen: Page | Landing, code: string): void {
  const { params } = asLanding(seen);
  assert.equal(params.get('error'), code);
  assert.equal(params.get('iss'), site.issuer);
  assert.equal(params.get('code'), null);
  assert.deepEqual([params.getAll('iss').length, params.getAll('error').length], [1, 1]);
}

test('a request without a session leads to the sign-in page, whose address shows nothing of it (AS-21, AS-22)', async () => {
  const page = asPage(await open(site.url()));
  assert.deepEqual([page.status, page.step], [200, 'identify']);
  assert.match(page.url, /\/login\/[A-Za-z0-9_-]{43}\/email$/);
  assert.ok(!page.html.includes('code_challenge'));
});

test('an unknown or missing client is a page, never a redirect (AS-22, AS-64)', async () => {
  for (const params of [
    { client_id: 'm2m_123456789012345678' },
    { client_id: undefined },
    { client_id: 'nonsense' },
  ]) {
    const page = asPage(await open(site.url(params)));
    assert.equal(page.status, 400);
    assert.ok(page.error);
  }
  const other = await site.gatewarden.mcpServer({ name: 'Other' });
  const foreign = await site.clientWith({ redirect_uris: [LOOPBACK] }, other.id);
  assert.equal(asPage(await open(site.url({ client_id: foreign }))).error, 'invalid_client');
});

test('an open redirector is not to be had: unregistered redirect URIs give a page without Location, Refresh or link (AS-22, AS-49, AS-50)', async () => {
  const corpus = [
    'https://evil.example/cb',
    '//evil.example/cb',
    'http://127.0.0.1:7777\\@evil.example/cb',
    'http://127.0.0.1:7777/cb@evil.example',
    'http://user@127.0.0.1:7777/cb',
    'http://127.0.0.1:7777/cb%0d%0aLocation: https://evil.example',
    'http://localhost.evil.example:7777/cb',
    'http://127.0.0.1.nip.io:7777/cb',
    'http://[::ffff:127.0.0.1]:7777/cb',
    'http://0x7f.1:7777/cb',
    'http://127.1:7777/cb',
    'HTTP://127.0.0.1:7777/cb',
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:99999/cb',
    'http://127.0.0.１:7777/cb',
    'http://127.0.0.1:7777/cb/',
    'http://127.0.0.1:7777/CB',
    'http://127.0.0.1:7777/cb?x=1',
    'javascript:alert(1)',
  ];
  for (const redirectUri of corpus) {
    const response = await cookieBrowser(site.gatewarden.url).fetch(
      site.url({ redirect_uri: redirectUri }),
    );
    const text = await response.text();
    assert.equal(response.status, 400, redirectUri);
    assert.equal(response.headers.get('location'), null, redirectUri);
    assert.equal(response.headers.get('refresh'), null, redirectUri);
    assert.ok(!/<meta[^>]+refresh/i.test(text) && !/href="[^"]*evil/i.test(text), redirectUri);
  }
});

test('a loopback client comes back on any port (AS-50)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const landing = await authorizeWith(
    browser,
    site.url({ redirect_uri: 'http://127.0.0.1:51763/cb' }),
    'port+sktest@example.com',
  );
  assert.ok(landing.location.startsWith('http://127.0.0.1:51763/cb?'));
  assert.ok(landing.params.get('code'));
});

test('one registered redirect URI may be left out, of several none (AS-52)', async () => {
  assert.equal(asPage(await open(site.url({ redirect_uri: undefined }))).step, 'identify');
  const two = await site.clientWith({ redirect_uris: [LOOPBACK, 'http://localhost/two'] });
  assert.equal(
    asPage(await open(site.url({ client_id: two, redirect_uri: undefined }))).error,
    'invalid_request',
  );
});

test('a repeated parameter is an error at the client; of client or redirect URI it is a page (AS-21)', async () => {
  assertError(await open(`${site.url()}&scope=todo:write`), 'invalid_request');
  assert.equal(
    asPage(await open(`${site.url()}&redirect_uri=${encodeURIComponent(LOOPBACK)}`)).status,
    400,
  );
  assert.equal(asPage(await open(`${site.url()}&client_id=${site.loopback}`)).status, 400);
});

test('response_type, response_mode and request objects: each has its error (AS-23, AS-26)', async () => {
  assertError(await open(site.url({ response_type: 'token' })), 'unsupported_response_type');
  assertError(
    await open(site.url({ response_type: 'code id_token' })),
    'unsupported_response_type',
  );
  assertError(await open(site.url({ response_type: undefined })), 'invalid_request');
  assertError(await open(site.url({ response_mode: 'fragment' })), 'invalid_request');
  assertError(await open(site.url({ response_mode: 'form_post' })), 'invalid_request');
  assertError(
    await open(site.url({ request: 'eyJhbGciOiJub25lIn0.e30.' })),
    'request_not_supported',
  );
  assertError(
    await open(site.url({ request_uri: 'https://evil.example/r' })),
    'request_uri_not_supported',
  );
  assert.equal(asPage(await open(site.url({ response_mode: 'query' }))).step, 'identify');
});

test('PKCE cannot be left out or downgraded to plain (AS-24, RFC 7636)', async () => {
  assertError(
    await open(site.url({ code_challenge: undefined, code_challenge_method: undefined })),
    'invalid_request',
  );
  assertError(await open(site.url({ code_challenge_method: 'plain' })), 'invalid_request');
  assertError(await open(site.url({ code_challenge_method: undefined })), 'invalid_request');
  assertError(await open(site.url({ code_challenge: 'short' })), 'invalid_request');
});

test('unknown parameters are ignored (AS-27)', async () => {
  assert.equal(
    asPage(await open(site.url({ foo: 'bar', audience: 'https://x.example', claims: '{}' }))).step,
    'identify',
  );
});

test('a request sent as a cross-site form becomes a GET of ours before anything is decided (AS-21, AS-30)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const [endpoint = '', query = ''] = site.url().split('?');
  const first = await browser.fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: 'https://client.example',
      'sec-fetch-site': 'cross-site',
    },
    body: query,
  });
  assert.equal(first.status, 303);
  assert.deepEqual(first.headers.getSetCookie(), []);
  assert.equal(asPage(await browser.open(first.headers.get('location') ?? '')).step, 'identify');
});

test('a form with characters that no header holds arrives unchanged: raw UTF-8, spaces, hashes, line breaks (AS-21, AS-25, header injection)', async () => {
  const [endpoint = '', query = ''] = site
    .url({ state: undefined, response_type: 'token' })
    .split('?');
  const state = 'é日\r\nLocation: https://evil.example #"';
  const browser = cookieBrowser(site.gatewarden.url);
  const response = await browser.fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `${query}&state=${state}`,
  });
  assert.equal(response.status, 303, await response.text());
  const landing = asLanding(await browser.open(response.headers.get('location') ?? ''));
  assert.equal(landing.params.get('state'), state);
  assert.ok(landing.location.startsWith(LOOPBACK));
});

test('a form that is too long for an address is refused (AS-21)', async () => {
  const [endpoint = '', query = ''] = site.url().split('?');
  for (const filler of ['x'.repeat(24_000), '日'.repeat(3_000)]) {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' },
      body: `${query}&nonsense=${filler}`,
      redirect: 'manual',
    });
    assert.equal(response.status, 413);
    assert.equal(response.headers.get('location'), null);
  }
});

test('of two different states neither comes back (AS-21, AS-25)', async () => {
  const { params } = asLanding(await open(`${site.url()}&state=other`));
  assert.deepEqual([params.get('error'), params.has('state')], ['invalid_request', false]);
});

test('what is not text is no parameter: broken escapes, bytes that are not UTF-8, NUL (AS-21, AS-25)', async () => {
  for (const state of ['%', '%zz', '%ED%A0%80', '%FF', '%00', '%C0%AF']) {
    const page = asPage(await open(`${site.url({ state: undefined })}&state=${state}`));
    assert.equal(page.status, 400, state);
    assert.ok(page.error, state);
  }
});
