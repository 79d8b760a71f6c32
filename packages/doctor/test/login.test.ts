import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { examine, type LoginOptions, type Report } from '../src/index.ts';
import { listenOnLoopback } from '../src/runtime/loopback-listener.ts';
import { json, type Site, type SiteOptions, startSite } from './small-site.ts';

const ids = (report: Report): string[] => report.findings.map(({ id }) => id);
const notes = (report: Report): string =>
  report.steps.find(({ step }) => step === 'login')?.notes.join('\n') ?? '';

/** A person whose browser comes back with these parameters, `state` and the right iss besides. */
function comesBack(
  site: () => Site,
  parameters: Readonly<Record<string, string>>,
): LoginOptions['openBrowser'] {
  return async (url) => {
    const asked = new URL(url).searchParams;
    const back = new URL(asked.get('redirect_uri') ?? '');
    for (const [name, value] of Object.entries({ iss: site().origin, ...parameters }))
      back.searchParams.set(name, value);
    back.searchParams.set('state', asked.get('state') ?? '');
    await (await fetch(back)).text();
  };
}

/** Registers everybody, with these members besides, and lets them remove themselves. */
function registering(
  more: (origin: string) => Readonly<Record<string, unknown>>,
): SiteOptions['handle'] {
  return (request, response, { origin }) => {
    if (request.url === '/register' && request.method === 'POST')
      json(response, 201, {
        client_id: 'c-1',
        token_endpoint_auth_method: 'none',
        ...more(origin),
      });
    else if (request.url === '/register/c-1' && request.method === 'DELETE')
      response.writeHead(request.headers.authorization === 'Bearer manage-me' ? 204 : 401).end();
    else return undefined;
    return true;
  };
}

async function examineWith(site: Site, login: Partial<LoginOptions>): Promise<Report> {
  return await examine(site.mcp, {
    login: { openBrowser: async () => undefined, timeoutSeconds: 1, ...login },
  });
}

test('a person who does not come back is login-failed, and what was registered is said (SKILL-69)', async (t) => {
  const site = await startSite(t, { handle: registering(() => ({})) });
  const report = await examineWith(site, {});
  assert.deepEqual(ids(report), ['login-failed']);
  assert.match(report.findings[0]?.message ?? '', /Nobody came back .* within 1 seconds/);
  assert.match(notes(report), /"c-1" .*was registered and stays/);
});

test('a registered client is removed again where the server allows it (SKILL-69, RFC 7592)', async (t) => {
  const site = await startSite(t, {
    handle: registering((origin) => ({
      registration_client_uri: `${origin}/register/c-1`,
      registration_access_token: 'manage-me',
    })),
  });
  const report = await examineWith(site, {});
  assert.match(notes(report), /"c-1" was registered and removed again/);
  assert.ok(
    site.seen.some(({ method, target }) => method === 'DELETE' && target === '/register/c-1'),
  );
  assert.doesNotMatch(JSON.stringify(report), /manage-me/);
});

test('the management token of a registration is not sent over plain http to another host (SKILL-69)', async (t) => {
  const site = await startSite(t, {
    handle: registering(() => ({
      registration_client_uri: 'http://elsewhere.example/register/c-1',
      registration_access_token: 'manage-me',
    })),
  });
  assert.match(notes(await examineWith(site, {})), /was registered and stays/);
});

test('a refused registration and a refusal by the person are login-failed, with the words of the server (SKILL-69)', async (t) => {
  const closed = await startSite(t, {
    handle: (request, response) => {
      if (request.url !== '/register' || request.method !== 'POST') return undefined;
      json(response, 400, { error: 'invalid_redirect_uri' });
      return true;
    },
  });
  const refused = await examineWith(closed, {});
  assert.deepEqual(ids(refused), ['login-failed']);
  assert.match(refused.findings[0]?.message ?? '', /registration .* 400 invalid_redirect_uri/);

  const site: Site = await startSite(t, { handle: registering(() => ({})) });
  const denied = await examineWith(site, {
    openBrowser: comesBack(() => site, {
      error: 'access_denied',
      error_description: 'No\u001b[2J',
    }),
  });
  assert.deepEqual(ids(denied), ['login-failed']);
  assert.match(denied.findings[0]?.message ?? '', /access_denied/);
  assert.ok(!(denied.findings[0]?.message ?? '\u001b').includes('\u001b'));
});

test('iss is compared: a response of another issuer, without iss, or with two is named (SKILL-69, mix-up)', async (t) => {
  const site: Site = await startSite(t, { handle: registering(() => ({})) });
  const wrong = await examineWith(site, {
    openBrowser: comesBack(() => site, { iss: 'https://attacker.example', error: 'server_error' }),
  });
  assert.ok(ids(wrong).includes('iss-parameter-wrong'));
  const without = await examineWith(site, {
    openBrowser: async (url) => {
      const asked = new URL(url).searchParams;
      await fetch(`${asked.get('redirect_uri')}?error=server_error&state=${asked.get('state')}`);
    },
  });
  assert.ok(ids(without).includes('iss-parameter-wrong'));
});

test('given credentials that are refused are no finding but their own outcome, and the secret is nowhere (SKILL-69)', async (t) => {
  const site: Site = await startSite(t);
  const report = await examineWith(site, {
    clientId: 'mine',
    clientSecret: 'a-secret-nobody-sees',
    openBrowser: comesBack(() => site, { code: 'code-nobody-sees' }),
  });
  assert.match(report.credentialsRefused ?? '', /"mine": invalid_client/);
  assert.deepEqual(ids(report), []);
  assert.doesNotMatch(JSON.stringify(report), /nobody-sees/);
});

test('the listener answers only the state it waits for, at its own name, by GET, and only once (SKILL-69, login CSRF, DNS rebinding)', async (t) => {
  const listener = await listenOnLoopback();
  t.after(() => listener.close());
  const { redirectUri } = listener;
  assert.match(redirectUri, /^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  const answer = listener.response('expected', 2_000);
  const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;
  const good = `${redirectUri}?state=expected&code=c`;

  assert.equal(await status(`${redirectUri}?state=other&code=x`), 404);
  assert.equal(await status(`${redirectUri}?code=x`), 404);
  assert.equal(await status(good, { method: 'POST' }), 404);
  assert.equal(await status(good.replace('/callback', '/')), 404);
  assert.equal(await statusWithHost(good, 'attacker.example'), 404);

  const page = await fetch(good);
  assert.equal(page.status, 200);
  assert.doesNotMatch(await page.text(), /expected|code=c/);
  assert.equal((await answer)?.get('code'), 'c');
  assert.equal(await status(good), 404);
  assert.equal(await listener.response('never', 50), undefined);
});

function statusWithHost(url: string, host: string): Promise<number | undefined> {
  return new Promise((done, fail) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on('error', fail)
      .end();
  });
}
