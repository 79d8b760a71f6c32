import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clearCookie, cookieName, readCookie, setCookie } from './cookies.ts';
import { pageHeaders, sameOriginPost } from './security-headers.ts';
import { send, start } from './test-edge.ts';

const site = (issuer: string, sharesHost = false) => ({
  environmentId: 'env_7',
  issuer,
  sharesHost,
});

test('cookie names: __Host- on https, the port on http, the environment when two share a host (AS-130)', () => {
  assert.equal(
    cookieName(site('https://auth.example.com'), 'session'),
    '__Host-gatewarden-session',
  );
  assert.equal(cookieName(site('http://localhost:8080'), 'session'), 'gatewarden-8080-session');
  assert.equal(
    cookieName(site('https://a.example', true), 'session'),
    '__Host-gatewarden-env_7-session',
  );
  assert.equal(
    cookieName(site('http://localhost:8080', true), 'browser'),
    'gatewarden-8080-env_7-browser',
  );
});

test('cookies are HttpOnly, Lax, host only, Secure on https, and a planted second one is not believed (AS-130)', async (t) => {
  for (const issuer of ['https://auth.example.com', 'http://localhost:8080']) {
    const { port } = await start(
      t,
      (app) => {
        app.get('/set', (request, reply) => {
          setCookie(request, reply, 'session', 'abc', { maxAge: 60 });
          setCookie(request, reply, 'browser', 'xyz');
          clearCookie(request, reply, 'old');
          return 'ok';
        });
        app.get('/read', (request) => ({ value: readCookie(request, 'session') ?? 'none' }));
        app.get('/bad', (request, reply) => setCookie(request, reply, 'session', 'a; Domain=evil'));
      },
      { environmentOf: () => site(issuer) },
    );
    const name = cookieName(site(issuer), 'session');
    const secure = issuer.startsWith('https') ? '; Secure' : '';
    const set = (await send(port, 'GET', '/set')).headers['set-cookie'] ?? [];
    assert.equal(set[0], `${name}=abc; Path=/; HttpOnly; SameSite=Lax${secure}; Max-Age=60`);
    assert.equal(
      set[1],
      `${cookieName(site(issuer), 'browser')}=xyz; Path=/; HttpOnly; SameSite=Lax${secure}`,
    );
    assert.match(set[2] ?? '', /=; Path=\/.*Max-Age=0$/);
    const read = async (cookie: string): Promise<string> =>
      JSON.parse((await send(port, 'GET', '/read', { cookie })).body).value;
    assert.equal(await read(`other=1; ${name}=abc; x${name}=no`), 'abc');
    assert.equal(await read(`${name}=abc; ${name}=planted`), 'none');
    assert.equal(await read(`${name}=a<b`), 'none');
    assert.equal(await read(`${name}x=abc`), 'none');
    assert.equal(
      (await send(port, 'GET', '/bad')).status,
      500,
      'a value can never add an attribute',
    );
  }
});

test('page headers are those of AS-129', () => {
  const headers = pageHeaders({ formAction: 'absent', https: true });
  assert.deepEqual(headers, {
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self)',
    'cache-control': 'no-store',
    'strict-transport-security': 'max-age=31536000',
  });
  const self = pageHeaders({ formAction: 'self', https: false });
  assert.match(self['content-security-policy'] ?? '', /; form-action 'self'$/);
  assert.equal(self['strict-transport-security'], undefined);
});

test('a POST that a browser calls cross-site, or sends with a foreign or null Origin, is not ours (AS-129)', async (t) => {
  const { port } = await start(
    t,
    (app) => app.post('/post', (request) => ({ ours: sameOriginPost(request) })),
    { environmentOf: () => site('http://localhost:8080') },
  );
  const ours = async (headers: Record<string, string>): Promise<boolean> =>
    JSON.parse((await send(port, 'POST', '/post', headers)).body).ours;
  const own = { origin: 'http://localhost:8080' };
  assert.equal(await ours({}), true);
  assert.equal(await ours(own), true);
  assert.equal(await ours({ ...own, 'sec-fetch-site': 'same-origin' }), true);
  assert.equal(await ours({ ...own, 'sec-fetch-site': 'none' }), true);
  assert.equal(await ours({ origin: `http://127.0.0.1:${port}` }), true, 'the accepted Host');
  for (const headers of [
    { origin: 'null' },
    { origin: 'http://localhost:8081' },
    { origin: 'https://localhost:8080' },
    { origin: 'http://localhost:8080.evil.example' },
    { ...own, 'sec-fetch-site': 'cross-site' },
    { ...own, 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
  ]) {
    assert.equal(await ours(headers), false, JSON.stringify(headers));
  }
});
