import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { before, type TestContext, test } from 'node:test';
import type { McpServerOptions, RevocationOptions } from '../src/index.ts';
import { askAboutTokens } from '../src/introspection.ts';
import { runtimeOf } from '../src/runtime/defaults.ts';
import { newKey, type SigningKey, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

let key: SigningKey;
before(async () => {
  key = await newKey('snk_1');
});

type Asked = { readonly authorization: string | undefined; readonly form: URLSearchParams };
type Endpoint = {
  readonly options: Partial<McpServerOptions>;
  readonly asked: Asked[];
  answer: (response: ServerResponse) => unknown;
};

const active = (response: ServerResponse): unknown => response.end('{"active":true}');
const inactive = (response: ServerResponse): unknown => response.end('{"active":false}');

async function endpointOf(
  t: TestContext,
  more: Partial<NonNullable<RevocationOptions['introspection']>> = {},
): Promise<Endpoint> {
  const asked: Asked[] = [];
  const { port } = await serve(t, async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    asked.push({ authorization: request.headers.authorization, form: new URLSearchParams(body) });
    endpoint.answer(response);
  });
  const introspection = {
    endpoint: `http://127.0.0.1:${port}/introspect`,
    clientId: 'skc_1',
    clientSecret: 'a secret: with ü',
    ...more,
  };
  const endpoint: Endpoint = {
    asked,
    answer: active,
    options: {
      revocation: { introspection },
      tools: { list_todos: 'todo:read', delete_all: 'todo:read' },
      highRiskTools: ['delete_all'],
    },
  };
  return endpoint;
}

test('a token is asked about once in 2 seconds, with the credential in the header, and refused when it is not active (RS-25)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const endpoint = await endpointOf(t);
  const server = await startGuarded(t, declaration(issuer, endpoint.options));
  const token = await issuer.token();
  assert.equal((await server.send({ token })).status, 200);
  issuer.advance(1.9);
  assert.equal((await server.send({ token })).status, 200);
  const [first] = endpoint.asked;
  assert.equal(endpoint.asked.length, 1);
  assert.equal(first?.form.get('token'), token);
  assert.equal(
    Buffer.from(first?.authorization?.slice('Basic '.length) ?? '', 'base64').toString(),
    'skc_1:a+secret%3A+with+%C3%BC',
  );

  endpoint.answer = inactive;
  issuer.advance(0.2);
  assert.equal((await server.send({ token })).status, 401);
  assert.partialDeepStrictEqual(server.events.at(-1), { reason: 'revoked' });
  assert.equal(endpoint.asked.length, 2);
  assert.ok(!JSON.stringify(server.events).includes(token));
});

test('a hundred requests with one token ask one question, and cacheSeconds 0 remembers nothing (RS-25)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const endpoint = await endpointOf(t, { cacheSeconds: 0 });
  const server = await startGuarded(t, declaration(issuer, endpoint.options));
  const token = await issuer.token();
  assert.equal((await server.send({ token })).status, 200);
  endpoint.answer = (response) => setTimeout(() => active(response), 200);
  const together = Array.from({ length: 100 }, () => server.send({ token }));
  assert.ok((await Promise.all(together)).every(({ status }) => status === 200));
  assert.ok(endpoint.asked.length <= 4, `${endpoint.asked.length} questions`);
  endpoint.answer = inactive;
  assert.equal((await server.send({ token })).status, 401);
});

test('an answer never makes a token valid that was refused here, and nobody asks about one (RS-25)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const endpoint = await endpointOf(t);
  const server = await startGuarded(t, declaration(issuer, endpoint.options));
  const stranger = await newKey('snk_1');
  for (const token of [
    await issuer.token({}, {}, stranger),
    await issuer.token({ exp: 1 }),
    await issuer.token({ aud: 'res_2' }),
    'garbage',
  ])
    assert.equal((await server.send({ token })).status, 401);
  assert.deepEqual(endpoint.asked, []);
});

test('what the feed has revoked is refused although introspection says active (RS-25, RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.feed.revoke({ jti: 'tkn_1' });
  const endpoint = await endpointOf(t, { cacheSeconds: 0 });
  const server = await startGuarded(t, declaration(issuer, endpoint.options));
  const token = await issuer.token();
  const end = performance.now() + 4_000;
  while ((await server.send({ token })).status !== 401) assert.ok(performance.now() < end);
});

test('an endpoint that hangs, refuses the credential or talks nonsense leaves the decision to the feed and delays nobody twice (RS-25)', async (t) => {
  const answers: Record<string, (response: ServerResponse) => unknown> = {
    hanging: () => undefined,
    'refusing the credential': (response) => response.writeHead(401).end('{"active":true}'),
    down: (response) => response.destroy(),
    'not JSON': (response) => response.end('<html>'),
    'saying it in words': (response) => response.end('{"active":"true"}'),
    'saying both': (response) => response.end('{"active":false,"active":true}'),
    'about another token': (response) => response.end('{"active":true,"jti":"tkn_other"}'),
    huge: (response) => response.end(`{"active":true,"x":"${'x'.repeat(70_000)}"}`),
    elsewhere: (response) => response.writeHead(307, { location: '/introspect' }).end(),
  };
  for (const [name, answer] of Object.entries(answers)) {
    const issuer = await startFakeIssuer(t, key);
    const endpoint = await endpointOf(t);
    endpoint.answer = answer;
    const server = await startGuarded(t, declaration(issuer, endpoint.options));
    const token = await issuer.token();
    const began = performance.now();
    assert.equal((await server.send({ token })).status, 200, name);
    assert.ok(performance.now() - began < 3_000, name);
    const again = performance.now();
    for (let n = 0; n < 5; n += 1) assert.equal((await server.send({ token })).status, 200, name);
    assert.ok(performance.now() - again < 500, `${name} delays every request`);
    assert.equal(endpoint.asked.length, 1, name);
    const said = server.events.filter(({ event }) => event === 'introspection_unavailable');
    assert.equal(said.length, 1, name);

    const revoked = await issuer.token({ jti: 'tkn_2' });
    issuer.feed.revoke({ jti: 'tkn_2' });
    const end = performance.now() + 4_000;
    while ((await server.send({ token: revoked })).status !== 401)
      assert.ok(performance.now() < end, name);
  }
});

test('a flood of distinct tokens leaves a bounded number of answers behind (RS-25)', async () => {
  let asked = 0;
  const fetch = async (): Promise<Response> => {
    asked += 1;
    return new Response('{"active":true}');
  };
  const introspection = askAboutTokens({
    runtime: runtimeOf({ fetch, now: () => new Date(0) }),
    endpoint: 'https://auth.example.com/introspect',
    clientId: 'skc_1',
    clientSecret: 'secret',
    cacheSeconds: 60,
    entryLimit: 50,
  });
  const ask = (n: number): unknown => introspection.isActive(`token ${n}`, `tkn_${n}`);
  for (let n = 0; n < 100; n += 1) assert.equal(await ask(n), 'active');
  assert.equal(asked, 100);
  assert.equal(ask(99), 'active', 'remembered');
  assert.ok(ask(49) instanceof Promise, 'the oldest gave way');
  assert.equal(introspection.vouchedFor('tkn_49'), false);
  assert.equal(introspection.vouchedFor('tkn_99'), true);
});

test('while the feed is too old, introspection carries every tool; without it the rules of the feed hold (RS-58, RS-25)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.feed.answer = (response) => response.destroy();
  const endpoint = await endpointOf(t);
  const server = await startGuarded(t, declaration(issuer, endpoint.options));
  const token = await issuer.token({ exp: 4_000_000_000 });
  const call = async (name: string): Promise<number> =>
    (await server.send({ token, body: toolCall(name) })).status;
  for (const seconds of [0, 61, 901]) {
    issuer.advance(seconds);
    assert.deepEqual([await call('list_todos'), await call('delete_all')], [200, 200]);
  }
  endpoint.answer = (response) => response.destroy();
  issuer.advance(61);
  assert.deepEqual([await call('list_todos'), await call('delete_all')], [503, 503]);
});
