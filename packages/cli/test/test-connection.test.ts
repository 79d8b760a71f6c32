import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { newKey } from '@gatewarden/resource-server/testing/fake-issuer';
import { startTestGatewarden } from '@gatewarden/server/testing';
import { runCommand } from './run-command.ts';
import { selfSigned } from './self-signed.ts';

const secret = 'live_4f9a1d27c0b84e6f8a35d2e917b6c3f0';
const clientId = 'skc_100000000000001';
const callback = 'https://app.example.com/callback';
const signedOut = 'https://app.example.com/';

type Handler = (request: IncomingMessage, response: ServerResponse, origin: string) => void;
type Fault = {
  readonly what: string;
  readonly ids: readonly string[];
  readonly code: number;
  /** Answers instead of the correct server, by path. */
  readonly instead: Readonly<Record<string, Handler>>;
};

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

const { jwk } = await newKey('snk_1');

const metadata = (origin: string): Record<string, unknown> => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  jwks_uri: `${origin}/keys`,
  end_session_endpoint: `${origin}/logout`,
});

const query = (request: IncomingMessage): URLSearchParams =>
  new URL(request.url ?? '/', 'http://localhost').searchParams;

const correct: Readonly<Record<string, Handler>> = {
  '/.well-known/oauth-authorization-server': (_request, response, origin) =>
    json(response, 200, metadata(origin)),
  '/keys': (_request, response) => json(response, 200, { keys: [jwk] }),
  '/token': (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const form = new URLSearchParams(body);
      const known = form.get('client_id') === clientId && form.get('client_secret') === secret;
      if (known) json(response, 200, { access_token: 'eyJ.a.b', expires_in: 3_600 });
      else json(response, 401, { error: 'invalid_client' });
    });
  },
  '/authorize': (request, response) => {
    const asked = query(request);
    if (asked.get('client_id') !== clientId) json(response, 400, { error: 'invalid_client' });
    else if (asked.get('redirect_uri') !== callback)
      json(response, 400, { error: 'invalid_request' });
    else response.writeHead(302, { location: '/sign-in' }).end();
  },
  '/logout': (request, response) => {
    if (query(request).get('post_logout_redirect_uri') === signedOut)
      response.writeHead(302, { location: signedOut }).end();
    else response.writeHead(400).end();
  },
};

const faults: readonly Fault[] = [
  { what: 'nothing wrong', ids: [], code: 0, instead: {} },
  {
    what: 'no metadata',
    ids: ['DISCOVERY_MISSING'],
    code: 1,
    instead: {
      '/.well-known/oauth-authorization-server': (_request, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
    },
  },
  {
    what: 'metadata of another issuer',
    ids: ['ISSUER_MISMATCH'],
    code: 1,
    instead: {
      '/.well-known/oauth-authorization-server': (_request, response, origin) =>
        json(response, 200, { ...metadata(origin), issuer: `${origin}/` }),
    },
  },
  {
    what: 'metadata without a token endpoint',
    ids: ['DISCOVERY_INCOMPLETE'],
    code: 1,
    instead: {
      '/.well-known/oauth-authorization-server': (_request, response, origin) =>
        json(response, 200, { ...metadata(origin), token_endpoint: 7 }),
    },
  },
  {
    what: 'a token endpoint where the secret could be read on the way',
    ids: ['ENDPOINT_INSECURE'],
    code: 1,
    instead: {
      '/.well-known/oauth-authorization-server': (_request, response, origin) =>
        json(response, 200, {
          ...metadata(origin),
          token_endpoint: 'http://auth.example.com/token',
        }),
    },
  },
  {
    what: 'an empty key set',
    ids: ['JWKS_UNUSABLE'],
    code: 1,
    instead: { '/keys': (_request, response) => json(response, 200, { keys: [] }) },
  },
  {
    what: 'keys of another algorithm only',
    ids: ['JWKS_UNUSABLE'],
    code: 1,
    instead: {
      '/keys': (_request, response) =>
        json(response, 200, {
          keys: [
            { ...jwk, alg: 'RS512' },
            { kty: 'EC', kid: 'e' },
          ],
        }),
    },
  },
  {
    what: 'a clock that is minutes off',
    ids: ['CLOCK_SKEW'],
    code: 1,
    instead: {
      '/.well-known/oauth-authorization-server': (_request, response, origin) => {
        response.setHeader('date', new Date(Date.now() - 300_000).toUTCString());
        json(response, 200, metadata(origin));
      },
    },
  },
  {
    what: 'a token endpoint that breaks',
    ids: ['TOKEN_FAILED'],
    code: 1,
    instead: { '/token': (_request, response) => response.writeHead(500).end('oops') },
  },
  {
    what: 'a success without a token',
    ids: ['TOKEN_FAILED'],
    code: 1,
    instead: { '/token': (_request, response) => json(response, 200, {}) },
  },
  {
    what: 'a refused secret',
    ids: ['CREDENTIALS_REFUSED'],
    code: 4,
    instead: { '/token': (_request, response) => json(response, 401, { error: 'invalid_client' }) },
  },
  {
    what: 'a client nobody can sign in to',
    ids: ['CLIENT_UNKNOWN'],
    code: 1,
    instead: {
      '/authorize': (_request, response) => json(response, 400, { error: 'invalid_client' }),
    },
  },
  {
    what: 'a redirect URI that is not registered',
    ids: ['REDIRECT_URI_UNREGISTERED'],
    code: 1,
    instead: {
      '/authorize': (request, response) =>
        json(response, 400, {
          error:
            query(request).get('client_id') === clientId ? 'invalid_request' : 'invalid_client',
        }),
    },
  },
  {
    what: 'an authorization endpoint that sends people anywhere',
    ids: ['REDIRECT_URI_UNCHECKED'],
    code: 1,
    instead: {
      '/authorize': (request, response) =>
        response
          .writeHead(302, { location: `${query(request).get('redirect_uri')}?error=x` })
          .end(),
    },
  },
  {
    what: 'a return address that is not registered',
    ids: ['LOGOUT_URL_UNREGISTERED'],
    code: 1,
    instead: { '/logout': (_request, response) => response.writeHead(400).end() },
  },
  {
    what: 'no sign-out endpoint',
    ids: ['LOGOUT_MISSING'],
    code: 0,
    instead: {
      '/.well-known/oauth-authorization-server': (_request, response, origin) =>
        json(response, 200, { ...metadata(origin), end_session_endpoint: undefined }),
    },
  },
];

for (const { what, ids, code, instead } of faults) {
  test(`test connection: ${what} (SKILL-43)`, async (t) => {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      const handler = instead[path] ?? correct[path];
      if (!handler) return response.writeHead(404).end();
      return handler(request, response, origin);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ran = await runCommand(['test', 'connection', '--json'], environment(origin));
    const report = JSON.parse(ran.out);
    assert.deepEqual(
      report.findings.map(({ id }: { id: string }) => id),
      ids,
    );
    assert.deepEqual([ran.code, report.ok], [code, code === 0]);
    assert.ok(!ran.out.includes(secret) && !ran.out.includes('eyJ.a.b'));
  });
}

function environment(url: string): Record<string, string> {
  return {
    GATEWARDEN_ENVIRONMENT_URL: url,
    GATEWARDEN_CLIENT_ID: clientId,
    GATEWARDEN_CLIENT_SECRET: secret,
    CALLBACK_URL: callback,
    POST_LOGOUT_URL: signedOut,
  };
}

test('test connection: nobody there ends with 3, and wrong settings are told before anything is sent (SKILL-43, SKILL-66)', async () => {
  const unreachable = await runCommand(
    ['test', 'connection', '--json'],
    environment('http://127.0.0.1:1'),
  );
  assert.equal(unreachable.code, 3);
  assert.equal(JSON.parse(unreachable.out).findings[0].id, 'UNREACHABLE');

  const wrong = await runCommand(['test', 'connection', '--json'], environment('http://prod'));
  assert.equal(wrong.code, 1);
  assert.deepEqual(
    JSON.parse(wrong.out).findings.map(({ id }: { id: string }) => id),
    ['URL_INSECURE'],
  );
});

test('test connection: a certificate nobody vouches for is named as such (SKILL-43)', async (t) => {
  const url = await selfSigned(t);
  const { code, out } = await runCommand(['test', 'connection', '--json'], environment(url));
  assert.equal(code, 3);
  assert.deepEqual(
    JSON.parse(out).findings.map(({ id }: { id: string }) => id),
    ['TLS_INVALID'],
  );
});

test('test connection: a running environment passes with its own client, and refuses another secret (SKILL-43)', async (t) => {
  const own = 'live_0a9c1d27c0b84e6f8a35d2e917b6c3ff';
  const gatewarden = await startTestGatewarden(t, {
    config: { client: { id: clientId, secret: own } },
  });
  const env = {
    GATEWARDEN_ENVIRONMENT_URL: gatewarden.url,
    GATEWARDEN_CLIENT_ID: clientId,
    GATEWARDEN_CLIENT_SECRET: own,
  };
  const good = await runCommand(['test', 'connection'], env);
  assert.equal(good.code, 0, good.out);
  assert.match(good.out, /Nothing wrong was found/);
  const bad = await runCommand(['test', 'connection', '--json'], {
    ...env,
    GATEWARDEN_CLIENT_SECRET: secret,
  });
  assert.equal(bad.code, 4);
});

test('test connection: endpoints at another origin than the issuer get nothing, the secret least of all (SKILL-43, credential theft by metadata)', async (t) => {
  const bodies: string[] = [];
  const listen = async (answer: Handler): Promise<string> => {
    const server = createServer((request, response) => answer(request, response, origin));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return origin;
  };
  const thief = await listen((request, response) => {
    bodies.push(`${request.method} ${request.url}`);
    json(response, 200, { access_token: 'eyJ.a.b', expires_in: 60, keys: [jwk] });
  });
  const members = ['authorization', 'token', 'end_session', 'registration', 'revocation'];
  for (const member of [...members.map((name) => `${name}_endpoint`), 'jwks_uri']) {
    const origin = await listen((request, response, own) => {
      if (request.url?.startsWith('/.well-known/oauth-authorization-server'))
        json(response, 200, { ...metadata(own), [member]: `${thief}/take` });
      else correct[(request.url ?? '').split('?')[0] ?? '']?.(request, response, own);
    });
    const ran = await runCommand(['test', 'connection', '--json'], environment(origin));
    assert.deepEqual(
      JSON.parse(ran.out).findings.map(({ id }: { id: string }) => id),
      ['ENDPOINT_ELSEWHERE'],
      member,
    );
    assert.equal(ran.code, 1);
  }
  assert.deepEqual(bodies, []);
});

test('test connection: what a server says cannot steer a terminal, in text or as JSON (SKILL-43, terminal escape injection)', async (t) => {
  const hostile = 'a\u001b[2J\u009b31m\u202egnp\u2066x\u2069\u200b';
  const server = createServer((_request, response) => json(response, 200, { issuer: hostile }));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const env = environment(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const people = await runCommand(['test', 'connection'], env);
  const programs = await runCommand(['test', 'connection', '--json'], env);
  for (const { out } of [people, programs]) {
    assert.match(out, /ISSUER_MISMATCH/);
    assert.doesNotMatch(out, /(?!\n)[\p{Cc}\p{Cf}]/u);
  }
});
