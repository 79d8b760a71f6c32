import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { examine, type LoginOptions, type Report, textReport } from '../src/index.ts';
import { listenOnLoopback } from '../src/runtime/loopback-listener.ts';
import { json, type Site, type SiteOptions, startSite } from './small-site.ts';

const TOKEN = 'token-that-is-nobodys-business';
const ids = (report: Report): string[] => report.findings.map(({ id }) => id);

/** Somebody who allows everything: the browser comes back with a code, and with `iss` or another parameter as told. */
function agreeing(more: Readonly<Record<string, string>>): LoginOptions['openBrowser'] {
  return async (url) => {
    const asked = new URL(url).searchParams;
    const back = new URL(asked.get('redirect_uri') ?? '');
    for (const [name, value] of Object.entries({ code: 'a-code-to-steal', ...more }))
      back.searchParams.set(name, value);
    back.searchParams.set('state', asked.get('state') ?? '');
    await (await fetch(back)).text();
  };
}

/** Registers everybody; what the token endpoint gives and what the endpoint says to a token is up to the test. */
const registering =
  (more: SiteOptions['handle'] = () => undefined): SiteOptions['handle'] =>
  (request, response, site) => {
    if (more(request, response, site)) return true;
    if (request.url !== '/register' || request.method !== 'POST') return undefined;
    json(response, 201, { client_id: 'c-1', token_endpoint_auth_method: 'none' });
    return true;
  };

async function login(site: Site, openBrowser: LoginOptions['openBrowser']): Promise<Report> {
  return await examine(site.mcp, { login: { openBrowser, timeoutSeconds: 2 } });
}

const codesSent = (site: Site): string[] =>
  site.bodies.filter((body) => body.includes('a-code-to-steal'));

test('a code that came back under the name of another issuer is not sent to the token endpoint (SKILL-69, mix-up, RFC 9207 §2.4)', async (t) => {
  const site = await startSite(t, { handle: registering() });
  for (const more of [{ iss: 'https://honest.example' }, {}]) {
    const report = await login(site, agreeing(more));
    assert.deepEqual(ids(report), ['iss-parameter-wrong']);
  }
  assert.deepEqual(codesSent(site), []);
});

test('metadata that names another issuer is used for no sign-in, nor is it where there is no resource metadata (SKILL-69, mix-up, RFC 8414 §3.3)', async (t) => {
  for (const withResource of [true, false]) {
    const site = await startSite(t, {
      server: () => ({ issuer: 'https://honest.example' }),
      handle: registering((request, response) => {
        if (withResource || !request.url?.startsWith('/.well-known/oauth-protected-resource'))
          return undefined;
        response.writeHead(404).end();
        return true;
      }),
    });
    let opened = 0;
    const report = await login(site, async () => {
      opened += 1;
    });
    assert.equal(opened, 0);
    const step = report.steps.at(-1);
    assert.equal(step?.outcome, 'not reached');
    assert.match(step?.notes.join() ?? '', /names the issuer "https:\/\/honest\.example"/);
    assert.match(textReport(report, { color: false }), /· login \(not reached\)\n +No sign-in/);
    assert.ok(!site.seen.some(({ method, target }) => method === 'POST' && target === '/register'));
  }
});

test('no token is asked for in the name of another resource: it would be sent to the server that claims to be it (SKILL-69, impersonation, RFC 9728 §7.3)', async (t) => {
  for (const resource of ['https://bank.example/mcp', 'neighbour']) {
    const site = await startSite(t, {
      handle: registering(),
      resource: (origin) => ({
        resource: resource === 'neighbour' ? `${origin}/other/mcp` : resource,
      }),
    });
    let opened = 0;
    const report = await login(site, async () => {
      opened += 1;
    });
    assert.deepEqual([ids(report), opened], [['prm-resource-mismatch'], 0]);
    assert.match(report.steps.at(-1)?.notes.join() ?? '', /is about another resource/);
  }
});

test('a token, code or verifier that a server repeats stands nowhere in the report (SKILL-69, secrets in output)', async (t) => {
  let verifier = '';
  const site: Site = await startSite(t, {
    handle: registering((request, response, { origin, bodies }) => {
      const body = bodies.at(-1) ?? '';
      if (request.url === '/token' && body.includes('a-code-to-steal')) {
        verifier = new URLSearchParams(body).get('code_verifier') ?? '';
        json(response, 200, { access_token: TOKEN, token_type: 'Bearer' });
        return true;
      }
      if (!request.headers.authorization?.includes(TOKEN)) return undefined;
      const said = `${'x'.repeat(20)} ${TOKEN} of a-code-to-steal with ${verifier}`;
      json(
        response,
        401,
        {},
        {
          'www-authenticate': `Bearer error="invalid_token", error_description="${said}", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
        },
      );
      return true;
    }),
  });
  const report = await login(site, (url) => agreeing({ iss: site.origin })(url));
  assert.deepEqual(ids(report), ['login-failed']);
  assert.notEqual(verifier, '');
  for (const secret of [TOKEN.slice(0, 12), 'a-code-to-steal', verifier])
    assert.ok(!JSON.stringify(report).includes(secret), secret);
});

test('a registration that names a foreign address for its removal is left alone: nothing is deleted elsewhere (SKILL-69, SSRF)', async (t) => {
  const victim = await startSite(t);
  const site = await startSite(t, {
    handle: (request, response) => {
      if (request.url !== '/register' || request.method !== 'POST') return undefined;
      json(response, 201, {
        client_id: 'c-1',
        registration_client_uri: `${victim.origin}/everything`,
        registration_access_token: 'a-token-for-it',
      });
      return true;
    },
  });
  const report = await examine(site.mcp, {
    login: { openBrowser: async () => undefined, timeoutSeconds: 1 },
  });
  assert.deepEqual(victim.seen, []);
  assert.match(report.steps.at(-1)?.notes.join() ?? '', /was registered and stays/);
});

test('a request target that is no URL does not end the process that waits for the browser (SKILL-69, denial of service)', async (t) => {
  const listener = await listenOnLoopback();
  t.after(() => listener.close());
  const { hostname, port, host } = new URL(listener.redirectUri);
  for (const target of ['//', 'http://[', '//?state=x']) {
    const status = await new Promise<string>((done, fail) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      );
      socket.once('data', (data) => done(data.toString().slice(9, 12)));
      socket.once('error', fail);
      socket.once('close', () => done('nothing'));
    });
    assert.equal(status, '404', target);
  }
});

test('a person is told where they sign in, and when the code goes to another host than that (SKILL-69, mix-up)', async (t) => {
  const elsewhere = await startSite(t);
  const cases: [boolean, RegExp][] = [
    [false, /in the browser, at http:\/\/127\.0\.0\.1:\d+$/],
    [true, /the code then goes to http:\/\/127\.0\.0\.1:\d+: go on only if both belong together$/],
  ];
  for (const [isElsewhere, said] of cases) {
    const site = await startSite(t, {
      handle: registering(),
      server: (origin) => ({ token_endpoint: `${isElsewhere ? elsewhere.origin : origin}/token` }),
    });
    const lines: string[] = [];
    await examine(site.mcp, {
      login: { openBrowser: async () => undefined, timeoutSeconds: 1 },
      onProgress: (line) => lines.push(line),
    });
    assert.match(lines.at(-1) ?? '', said);
  }
});

test('a token that fits into no header is not called an answer of the MCP server (SKILL-69, header injection)', async (t) => {
  const site: Site = await startSite(t, {
    handle: registering((request, response, { bodies }) => {
      if (request.url !== '/token' || !bodies.at(-1)?.includes('a-code-to-steal')) return undefined;
      json(response, 200, { access_token: `${TOKEN}\r\nx-admin: 1`, token_type: 'Bearer' });
      return true;
    }),
  });
  const report = await login(site, (url) => agreeing({ iss: site.origin })(url));
  assert.deepEqual(ids(report), ['login-failed']);
  assert.match(report.findings[0]?.evidence ?? '', /fits into no HTTP/);
});
