import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { McpServerOptions } from '../src/index.ts';
import { protectMcp } from '../src/index.ts';
import type { FakeRevocation } from '../src/testing/fake-feed.ts';
import {
  type FakeIssuer,
  newKey,
  type SigningKey,
  siblingId,
  startFakeIssuer,
} from '../src/testing/fake-issuer.ts';
import {
  challengeOf,
  declaration,
  type Guarded,
  startGuarded,
  toolCall,
} from '../src/testing/guarded-server.ts';

let key: SigningKey;
let second: SigningKey;
before(async () => {
  [key, second] = await Promise.all([newKey('snk_1'), newKey('snk_2')]);
});

const handles = { rvk: ['h-grant', 'h-person', 'h-client', 'h-organization'] };
const long = { ...handles, exp: 4_000_000_000 };

async function until(condition: () => boolean | Promise<boolean>, seconds = 4): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'did not happen in time');
    await sleep(10);
  }
}

/** Blocks the feed, also for the long poll that is under way. */
function block(issuer: FakeIssuer): void {
  issuer.feed.answer = (response) => response.destroy();
  for (const wake of [...issuer.feed.waiting]) wake();
}

type Statuses = { readonly harmless: number; readonly risky: number };

async function statuses(server: Guarded, token: string): Promise<Statuses> {
  const [harmless, risky] = await Promise.all(
    ['list_todos', 'delete_all'].map((name) => server.send({ token, body: toolCall(name) })),
  );
  return { harmless: harmless?.status ?? 0, risky: risky?.status ?? 0 };
}

const withRisk: Partial<McpServerOptions> = {
  tools: { list_todos: 'todo:read', delete_all: 'todo:read' },
  highRiskTools: ['delete_all'],
};

test('a token in use is refused as soon as its handle, its id, its key or its time is revoked (RS-25, RS-57, RS-58)', async (t) => {
  const revocations: Record<string, (issuer: FakeIssuer) => FakeRevocation> = {
    'the grant': () => ({ handle: 'h-grant' }),
    'the organization': () => ({ handle: 'h-organization' }),
    'this token': () => ({ jti: 'tkn_1' }),
    'the key': () => ({ kid: 'snk_1' }),
    'everything before now': (issuer) => ({ before: Number(issuer.claims()['iat']) + 1 }),
  };
  for (const [name, revocation] of Object.entries(revocations)) {
    const issuer = await startFakeIssuer(t, key);
    issuer.published.push(second.jwk);
    const server = await startGuarded(t, declaration(issuer));
    const token = await issuer.token(handles);
    assert.equal((await server.send({ token })).status, 200);
    await until(() => issuer.feed.waiting.size === 1);
    const calls = server.calls.length;
    issuer.feed.key = second;

    issuer.feed.revoke(revocation(issuer));

    await until(async () => (await server.send({ token })).status === 401);
    const answer = await server.send({ token });
    assert.equal(challengeOf(answer)['error'], 'invalid_token', name);
    assert.equal(challengeOf(answer)['error_description'], 'The access token was revoked');
    const passed = server.calls.length - calls;
    assert.ok(passed < 200, `${passed} calls passed meanwhile`);
    assert.partialDeepStrictEqual(server.events.at(-1), { reason: 'revoked', tokenId: 'tkn_1' });
    assert.equal((await server.send({ token })).status, 401, 'and stays refused');
  }
});

test('a token that names nothing revoked goes on, also one of another person with the same client (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.feed.revoke({ handle: 'h-person' });
  issuer.feed.revoke({ jti: 'tkn_2' });
  issuer.feed.revoke({ kid: 'snk_2' });
  issuer.feed.revoke({ before: Number(issuer.claims()['iat']) });
  const server = await startGuarded(t, declaration(issuer));
  const other = await issuer.token({ rvk: ['h-grant-2', 'h-person-2', 'h-client'] });
  assert.equal((await server.send({ token: other })).status, 200);
  assert.equal((await server.send({ token: await issuer.token(handles) })).status, 401);
});

test('a token whose handles cannot be read is refused (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  for (const rvk of [{}, [1], ['h1', null], 7, null, Array.from({ length: 17 }, () => 'h')]) {
    assert.equal((await server.send({ token: await issuer.token({ rvk }) })).status, 401);
  }
});

test('a withdrawn key is not accepted again although it is still published, and the key set is not asked (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.published.push(second.jwk);
  issuer.feed.key = second;
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token(long);
  assert.equal((await server.send({ token })).status, 200);
  issuer.feed.revoke({ kid: 'snk_1' });
  await until(async () => (await server.send({ token })).status === 401);
  const forged = await issuer.token({ ...long, jti: 'tkn_2', sub: 'usr_admin' });
  assert.equal((await server.send({ token: forged })).status, 401);
  issuer.advance(3_700);
  assert.equal((await server.send({ token: forged })).status, 401, 'after the set was renewed');
  assert.equal((await server.send({ token: await issuer.token(handles, {}, second) })).status, 200);
});

test('while keys cannot be fetched a withdrawn one is dropped all the same (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.published.push(second.jwk);
  issuer.feed.key = second;
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token(long);
  assert.equal((await server.send({ token })).status, 200);
  issuer.answer = (response) => response.destroy();
  issuer.feed.revoke({ kid: 'snk_1' });
  await until(async () => (await server.send({ token })).status === 401);
});

test('above 60 seconds without a document high-risk tools answer 503; others after 15 minutes; all recover with the feed (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer, withRisk));
  const token = await issuer.token(long);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 200 });
  await until(() => issuer.feed.waiting.size === 1);
  block(issuer);

  issuer.advance(59);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 200 });
  issuer.advance(2);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 503 });
  issuer.advance(838);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 503 });
  issuer.advance(2);
  assert.deepEqual(await statuses(server, token), { harmless: 503, risky: 503 });
  const answer = await server.send({ token });
  assert.match(answer.headers['retry-after'] ?? '', /^[1-9][0-9]*$/);
  assert.equal(answer.headers['www-authenticate'], undefined, 'clients keep their tokens');

  issuer.feed.answer = undefined;
  issuer.advance(6);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 200 });
});

test('a feed that is slow delays the first request by 2 seconds at most, is heard when it comes, and delays nobody again (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.feed.revoke({ handle: 'h-person' });
  issuer.feed.delayMs = 1_700;
  const slow = await startGuarded(t, declaration(issuer));
  const token = await issuer.token(handles);
  assert.equal((await slow.send({ token })).status, 401, 'worth waiting for');

  issuer.feed.delayMs = 2_500;
  const slower = await startGuarded(t, declaration(issuer));
  const began = performance.now();
  assert.equal((await slower.send({ token })).status, 200);
  assert.ok(performance.now() - began < 2_500);
  const again = performance.now();
  assert.equal((await slower.send({ token })).status, 200);
  assert.ok(performance.now() - again < 500);
  issuer.feed.delayMs = 0;
  await until(async () => (await slower.send({ token })).status === 401);
});

test('what is known to be revoked stays refused while the feed is too old (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.feed.revoke({ handle: 'h-person' });
  for (const onStale of ['open', 'closed'] as const) {
    const server = await startGuarded(t, declaration(issuer, { revocation: { onStale } }));
    const token = await issuer.token(long);
    assert.equal((await server.send({ token })).status, 401);
    block(issuer);
    issuer.advance(3_000);
    assert.equal((await server.send({ token })).status, 401, onStale);
    issuer.feed.answer = undefined;
  }
});

test('without any document since the start high-risk tools are refused at once, the others maxStaleSeconds later (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  block(issuer);
  const server = await startGuarded(
    t,
    declaration(issuer, { ...withRisk, revocation: { maxStaleSeconds: 120 } }),
  );
  const token = await issuer.token(long);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 503 });
  issuer.advance(119);
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 503 });
  issuer.advance(2);
  assert.deepEqual(await statuses(server, token), { harmless: 503, risky: 503 });
});

test('onStale open lets calls through, says so once a minute and in the metrics; high-risk tools stay closed (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  block(issuer);
  const events: string[] = [];
  const guard = protectMcp(
    declaration(issuer, {
      revocation: { onStale: 'open', maxStaleSeconds: 60 },
      log: ({ event }) => events.push(event),
    }),
  );
  t.after(() => guard.close());
  const server = await startGuarded(
    t,
    declaration(issuer, { ...withRisk, revocation: { onStale: 'open', maxStaleSeconds: 60 } }),
  );
  const token = await issuer.token(long);
  const opened = (): number => server.events.filter(({ event }) => event === 'feed_open').length;
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 503 });
  assert.equal(opened(), 0, 'not yet too old');
  for (const [seconds, said] of [
    [61, 1],
    [30, 1],
    [31, 2],
    [3_600, 3],
  ] as const) {
    issuer.advance(seconds);
    assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 503 });
    assert.equal(opened(), said, `${seconds}`);
  }
  assert.match(guard.metrics(), /^gatewarden_rs_feed_open\{.*\} 1$/m);
});

test('a clock that was set back trusts no old document: the feed is fetched first (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer, withRisk));
  const token = await issuer.token({ ...long, iat: 1_000 });
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 200 });
  await until(() => issuer.feed.waiting.size === 1);
  issuer.advance(-7_200);
  const { fetches } = issuer.feed;
  assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 200 });
  assert.equal(issuer.feed.fetches, fetches + 1);

  issuer.advance(-7_200);
  block(issuer);
  assert.deepEqual(await statuses(server, token), { harmless: 503, risky: 503 });
});

test('nothing is followed for fixed keys, for other issuers, and where revocation is off (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  block(issuer);
  const { environmentUrl: _, resourceId: __, ...rest } = declaration(issuer, withRisk);
  const foreign = { issuer: issuer.url, jwksUri: `${issuer.url}/keys` };
  const declared: McpServerOptions[] = [
    declaration(issuer, { ...withRisk, keys: { keys: [key.jwk] } }),
    { ...rest, issuers: [foreign] },
    declaration(issuer, { ...withRisk, revocation: false }),
  ];
  for (const options of declared) {
    const server = await startGuarded(t, options);
    const token = await issuer.token(long);
    issuer.advance(3_700);
    assert.deepEqual(await statuses(server, token), { harmless: 200, risky: 200 });
  }
  assert.equal(issuer.feed.fetches, 0);
});

test('beside our feed, tokens of another issuer do not depend on it (RS-58)', async (t) => {
  const [issuer, foreign] = [await startFakeIssuer(t, key), await startFakeIssuer(t)];
  block(issuer);
  const server = await startGuarded(
    t,
    declaration(issuer, {
      ...withRisk,
      issuers: [{ issuer: foreign.url, jwksUri: `${foreign.url}/keys` }],
    }),
  );
  issuer.advance(1_000);
  const theirs = await foreign.token(long);
  assert.deepEqual(await statuses(server, theirs), { harmless: 200, risky: 200 });
  assert.deepEqual(await statuses(server, await issuer.token(long)), { harmless: 503, risky: 503 });
});

test('each server follows its own feed (RS-58, RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const asked = new Set<string>();
  const respond = issuer.feed.handle;
  issuer.feed.handle = (request, response) => {
    const url = request.url ?? '';
    if (url.includes('/revocations')) asked.add(url.replace(/\?.*/, ''));
    return respond(request, response);
  };
  const server = await startGuarded(t, [
    declaration(issuer),
    declaration(issuer, { resourceId: siblingId, serverUrl: 'http://localhost:3333/notes' }),
  ]);
  await server.send({ path: '/mcp', token: await issuer.token() });
  await server.send({ path: '/notes', token: await issuer.token({ aud: [siblingId] }) });
  assert.deepEqual(
    [...asked].sort(),
    ['res_1234567890', siblingId].map((id) => `/resources/${id}/revocations`).sort(),
  );
});

test('revocation options that cannot be meant are refused at the start (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const introspection = { clientId: 'skc_1', clientSecret: 'secret' };
  const wrong: unknown[] = [
    true,
    'off',
    { on_stale: 'open' },
    { onStale: 'Open' },
    { onStale: true },
    { maxStaleSeconds: 59 },
    { maxStaleSeconds: 86_401 },
    { maxStaleSeconds: Number.NaN },
    { maxStaleSeconds: '900' },
    { feedUrl: 'http://feed.example/revocations' },
    { feedUrl: 7 },
    { introspection: true },
    { introspection: { clientId: 'skc_1' } },
    { introspection: { ...introspection, clientSecret: '' } },
    { introspection: { ...introspection, cacheSeconds: 61 } },
    { introspection: { ...introspection, endpoint: 'http://as.example/introspect' } },
    { introspection: { ...introspection, secret: 'x' } },
  ];
  for (const revocation of wrong) {
    const options = declaration(issuer);
    Reflect.set(options, 'revocation', revocation); // what the compiler would not let pass
    assert.throws(
      () => protectMcp(options),
      { name: 'ConfigurationError' },
      JSON.stringify(revocation),
    );
  }
  const { environmentUrl: _, resourceId: __, ...rest } = declaration(issuer);
  const foreign = { ...rest, issuers: [{ issuer: issuer.url }], revocation: {} };
  assert.throws(() => protectMcp(foreign), { code: 'invalid_option' });
});
