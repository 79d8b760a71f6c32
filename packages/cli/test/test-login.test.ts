import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { createClient, startTestGatewarden } from '@gatewarden/server/testing';
import { main } from '../src/index.ts';
import { listenForCallback } from '../src/login/callback-listener.ts';
import { walkHostedPages } from '../src/login/headless.ts';
import { startFakeServer, type Wrongs } from './fake-authorization-server.ts';
import { type Outcome, runCommand } from './run-command.ts';

const secret = 'live_4f9a1d27c0b84e6f8a35d2e917b6c3f0';
const clientId = 'skc_100000000000001';

/** Runs the command and does in its place what a browser would do with the printed address. */
async function withBrowser(
  args: readonly string[],
  env: Record<string, string>,
  browse: (url: string) => Promise<unknown>,
): Promise<Outcome> {
  let [out, err] = ['', ''];
  let browsed: Promise<unknown> | undefined;
  const code = await main(['test', 'login', '--no-browser', '--json', '--timeout', '20', ...args], {
    env,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
      const [url] = /https?:\/\/\S+/.exec(err) ?? [];
      if (url !== undefined) browsed ??= browse(url);
    },
    exitOnSignal: false,
  });
  await browsed;
  return { code, out, err };
}

const environment = (url: string): Record<string, string> => ({
  GATEWARDEN_ENVIRONMENT_URL: url,
  GATEWARDEN_CLIENT_ID: clientId,
  GATEWARDEN_CLIENT_SECRET: secret,
});

function ids({ out }: Outcome): string[] {
  return JSON.parse(out).findings.map(({ id }: { id: string }) => id);
}

const faults: readonly (readonly [what: string, wrongs: Wrongs, id: string | undefined])[] = [
  ['nothing wrong', {}, undefined],
  ['another issuer in the redirect', { iss: 'https://evil.example' }, 'LOGIN_ISS'],
  ['no issuer although it is promised', { iss: undefined }, 'LOGIN_ISS'],
  ['a refused consent', { error: 'access_denied' }, 'LOGIN_AUTHORIZE'],
  ['a code that is refused', { code: 'refused' }, 'LOGIN_EXCHANGE'],
  ['a replayed ID token', { idToken: { nonce: 'of-yesterday' } }, 'LOGIN_NONCE'],
  ["another application's ID token", { idToken: { aud: 'skc_2' } }, 'LOGIN_ID_TOKEN'],
  ['tokens that a stranger signed', { strangerSigns: true }, 'LOGIN_ID_TOKEN'],
  ['an access token for somebody else', { accessToken: { aud: 'res_2' } }, 'LOGIN_ACCESS_TOKEN'],
  [
    'an ID token in the place of the access token',
    { accessToken: { at_hash: 'x' } },
    'LOGIN_ACCESS_TOKEN',
  ],
  ['an access token that has ended', { accessToken: { exp: 1_000 } }, 'LOGIN_ACCESS_TOKEN'],
  ['a retired refresh token that is renewed', { retired: 'renewed' }, 'LOGIN_REFRESH_REUSE'],
  ['a sign-out without effect', { revocation: 'without effect' }, 'LOGIN_REVOCATION'],
];

for (const [what, wrongs, id] of faults) {
  test(`test login: ${what} (SKILL-44)`, async (t) => {
    const url = await startFakeServer(t, wrongs);
    const ran = await withBrowser([], environment(url), (address) => fetch(address));
    assert.deepEqual(ids(ran), id === undefined ? [] : [id]);
    assert.equal(ran.code, id === undefined ? 0 : 1);
    assert.ok(!/eyJ|refresh-\d|code-\d/.test(ran.out), 'a code or token is shown');
    assert.ok(!(ran.out + ran.err).includes(secret));
  });
}

test('test login: a redirect with another state is nobody we wait for (SKILL-44)', async (t) => {
  const url = await startFakeServer(t, { state: 'of-an-attacker' });
  const statuses: number[] = [];
  const ran = await withBrowser(['--timeout', '1'], environment(url), async (address) => {
    statuses.push((await fetch(address)).status);
  });
  assert.deepEqual(statuses, [400]);
  assert.deepEqual(ids(ran), ['LOGIN_SIGN_IN']);
});

async function application(t: TestContext): Promise<Record<string, string>> {
  const gatewarden = await startTestGatewarden(t);
  const callback = 'https://app.example.com/callback';
  const created = await createClient(gatewarden.context(), {
    kind: 'application',
    name: 'Shop',
    redirectUris: [callback],
    tokenEndpointAuthMethod: 'client_secret_post',
    grantTypes: ['authorization_code', 'refresh_token'],
  });
  assert.ok(created.kind === 'created' && created.secret, JSON.stringify(created));
  return {
    GATEWARDEN_ENVIRONMENT_URL: gatewarden.url,
    GATEWARDEN_CLIENT_ID: created.client.id,
    GATEWARDEN_CLIENT_SECRET: created.secret.plain,
    CALLBACK_URL: callback,
  };
}

test('test login: a test user signs in to an application without a browser (SKILL-44)', async (t) => {
  const env = await application(t);
  const ran = await runCommand(
    ['test', 'login', '--headless', 'ann+sktest@example.com', '--mode', 'fsa'],
    env,
  );
  assert.equal(ran.code, 0, ran.out + ran.err);
  assert.match(ran.out, /the ID token is valid: .*sub="usr_/);
  assert.match(ran.out, /signed out: the revoked refresh token is refused/);
  const stranger = await runCommand(
    ['test', 'login', '--json', '--headless', 'ann@example.com', '--mode', 'fsa'],
    env,
  );
  assert.deepEqual([stranger.code, ids(stranger)], [1, ['LOGIN_SIGN_IN']]);
});

test('test login: a test user signs in to an MCP server as a client that registers itself (SKILL-44)', async (t) => {
  const gatewarden = await startTestGatewarden(t);
  const { id } = await gatewarden.mcpServer({ serverUrl: 'http://localhost:3000/mcp' });
  const env = { GATEWARDEN_ENVIRONMENT_URL: gatewarden.url, GATEWARDEN_RESOURCE_ID: id };
  const ran = await runCommand(['test', 'login', '--headless', 'ann+sktest@example.com'], env);
  assert.equal(ran.code, 0, ran.out + ran.err);
  assert.match(ran.out, /registered as the client/);
  assert.match(ran.out, /the access token is valid: .*res_/);
  const other = await runCommand(
    ['test', 'login', '--json', '--headless', 'ann+sktest@example.com'],
    {
      ...env,
      GATEWARDEN_RESOURCE_ID: 'res_1',
    },
  );
  assert.deepEqual([other.code, ids(other)], [1, ['DISCOVERY_MISSING']]);
});

test('test login: wrong use is told before anything happens (SKILL-44)', async () => {
  const env = environment('http://127.0.0.1:1');
  const uses: [string[], Record<string, string>, number][] = [
    [['--mode', 'saml'], env, 2],
    [['--mode', 'mcp'], env, 2],
    [['--mode', 'sso'], env, 2],
    [['--timeout', '0'], env, 2],
    [['--timeout', 'soon'], env, 2],
    [['--port', '99999'], env, 2],
    [['--paste'], env, 2],
    [[], { ...env, GATEWARDEN_CLIENT_SECRET: 'short' }, 1],
    [[], env, 3],
  ];
  for (const [args, variables, code] of uses)
    assert.equal(
      (await runCommand(['test', 'login', ...args], variables)).code,
      code,
      args.join(' '),
    );
});

test('test login: a request target that is no URL does not end the process that waits for the browser (SKILL-44, denial of service)', async (t) => {
  const listener = await listenForCallback(new URL('http://127.0.0.1:0/callback'));
  t.after(() => listener.close());
  const { hostname, port } = new URL(listener.redirectUri);
  for (const path of ['//', '//?state=x', '/callback?state=x']) {
    const status = await new Promise<number | undefined>((done, fail) => {
      request({ hostname, port, path, agent: false }, (response) => {
        response.resume();
        done(response.statusCode);
      })
        .on('error', fail)
        .end();
    });
    assert.equal(status, path.startsWith('/callback') ? 400 : 404);
  }
});

test('test login: a page of another name cannot speak to the listener (SKILL-44, DNS rebinding)', async (t) => {
  const listener = await listenForCallback(new URL('http://localhost:0/callback'));
  t.after(() => listener.close());
  const { port } = new URL(listener.redirectUri);
  const answer = listener.received('expected', 5);
  const ask = (host: string): Promise<number | undefined> =>
    new Promise((done, fail) => {
      const path = '/callback?state=expected&code=c';
      request(
        { hostname: '127.0.0.1', port, path, headers: { host }, agent: false },
        (response) => {
          response.resume();
          done(response.statusCode);
        },
      )
        .on('error', fail)
        .end();
    });
  assert.equal(await ask(`attacker.example:${port}`), 404);
  assert.equal(await ask(`localhost:${port}`), 200);
  const params = await answer;
  assert.ok(params !== 'timeout' && params.get('code') === 'c');
});

test('test login: a page that is made to be read for minutes is read at once (SKILL-44, ReDoS)', async () => {
  const pages = [
    '<form '.repeat(40_000),
    '<form data-step="x" '.repeat(13_000),
    '<form data-step="identify">'.repeat(9_000),
    `<form data-step="consent">${'<input '.repeat(30_000)}</form>`,
    '<main '.repeat(40_000),
  ];
  for (const text of pages) {
    const began = performance.now();
    const walked = await walkHostedPages(
      async () => ({ kind: 'answer', status: 200, headers: new Headers(), text }),
      'http://auth.example/authorize',
      'http://127.0.0.1:1/callback',
      'ann+sktest@example.com',
    );
    assert.equal(walked.kind, 'stuck');
    assert.ok(performance.now() - began < 2_000, text.slice(0, 30));
  }
});
