import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type GuardRequest, protectMcp } from '../src/index.ts';
import { revocationWatch } from '../src/revocation-options.ts';
import { runtimeOf } from '../src/runtime/defaults.ts';
import {
  newKey,
  part,
  resourceId,
  type SigningKey,
  serverUrl,
  siblingId,
  startFakeIssuer,
} from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded } from '../src/testing/guarded-server.ts';
import { collectGarbage, heapUsed } from '../src/testing/heap-used.ts';
import { rememberedValidation } from '../src/token-cache.ts';
import { trustedIssuers } from '../src/trust.ts';

let key: SigningKey;
before(async () => {
  key = await newKey('snk_1');
});

test('a token accepted once is refused after its end (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const statuses: number[] = [];
  for (const seconds of [0, 3_600, 29, 1]) {
    issuer.advance(seconds);
    statuses.push((await server.send({ token })).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 401]);
});

test('a token accepted once is refused when its key is no longer published (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ exp: 4_000_000_000 });
  assert.equal((await server.send({ token })).status, 200);

  issuer.published = [(await newKey('snk_2')).jwk];
  issuer.advance(3_601);
  assert.equal((await server.send({ token })).status, 401);
});

test('a token accepted once is refused when another key took the id of its key (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ exp: 4_000_000_000 });
  assert.equal((await server.send({ token })).status, 200);

  issuer.published = [(await newKey('snk_1')).jwk];
  issuer.advance(3_601);
  assert.equal((await server.send({ token })).status, 401);
});

test('what one server accepted means nothing at another (RS-55, RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, [
    declaration(issuer),
    declaration(issuer, { resourceId: siblingId, serverUrl: 'http://localhost:3333/notes' }),
  ]);
  const ours = await issuer.token();
  const theirs = await issuer.token({ aud: [siblingId] });
  const statusOf = async (path: string, token: string): Promise<number> =>
    (await server.send({ path, token })).status;

  for (let round = 0; round < 2; round += 1) {
    assert.deepEqual([await statusOf('/mcp', ours), await statusOf('/notes', ours)], [200, 401]);
    assert.deepEqual(
      [await statusOf('/mcp', theirs), await statusOf('/notes', theirs)],
      [401, 200],
    );
  }
  assert.equal(issuer.fetches, 1, 'the key set is shared');
});

test('a remembered token differs from one that only looks like it (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  assert.equal((await server.send({ token })).status, 200);
  const [header, , signature] = token.split('.');
  const forged = `${header}.${part(issuer.claims({ sub: 'usr_2' }))}.${signature}`;
  assert.equal((await server.send({ token: forged })).status, 401);
});

test('a handler that changes what it was given changes nothing for the next request (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  await server.send({ token });
  const auth = server.calls[0]?.auth;
  assert.ok(typeof auth === 'object' && auth && 'scopes' in auth && Array.isArray(auth.scopes));
  assert.ok('extra' in auth && typeof auth.extra === 'object' && auth.extra);
  auth.scopes.push('todo:write');
  assert.throws(() => Object.assign(auth.extra ?? {}, { subject: 'usr_2' }), TypeError);

  await server.send({ token });
  assert.partialDeepStrictEqual(server.calls[1]?.auth, {
    scopes: ['todo:read'],
    extra: { subject: 'usr_1' },
  });
});

test('garbage tokens leave nothing behind (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const guard = protectMcp(declaration(issuer));
  const [header, payload] = (await issuer.token({ aud: [serverUrl, resourceId] })).split('.');
  const send = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n += 1) {
      const signature = Buffer.alloc(256, n % 256);
      signature.writeUInt32BE(n);
      const token = `${header}.${payload}.${signature.toString('base64url')}`;
      const decision = await guard.decide(getRequest(token));
      assert.ok(decision.kind === 'respond' && decision.status === 401);
    }
  };
  await send(0, 500);
  const before = heapUsed();
  await send(500, 5_000);
  const grown = heapUsed() - before;
  assert.ok(grown < 1_500_000, `${grown} bytes for 4,500 tokens of 0.8 KB`);
});

test('the number of remembered tokens is limited; the oldest gives way (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const runtime = runtimeOf({ now: () => issuer.clock.now });
  const trusted = trustedIssuers(declaration(issuer), serverUrl, runtime, new Map());
  const check = rememberedValidation({ trusted, clockSkewSeconds: 30, runtime }, 2);
  const tokens = await Promise.all(['1', '2', '3'].map((jti) => issuer.token({ jti })));
  const validated = async (token: string | undefined): Promise<object> => {
    const outcome = await check(token ?? '');
    assert.ok(outcome.kind === 'valid');
    return outcome.token;
  };
  const first = await validated(tokens[0]);
  assert.equal(await validated(tokens[0]), first, 'remembered');
  await validated(tokens[1]);
  const third = await validated(tokens[2]);
  assert.notEqual(await validated(tokens[0]), first, 'validated again');
  assert.equal(await validated(tokens[2]), third);
});

test('a remembered token does not outlive its end, also when nobody sends it again (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const runtime = runtimeOf({ now: () => issuer.clock.now });
  const trusted = trustedIssuers(declaration(issuer), serverUrl, runtime, new Map());
  const check = rememberedValidation({ trusted, clockSkewSeconds: 30, runtime });
  const remembered = async (jti: string): Promise<WeakRef<object>> => {
    const outcome = await check(await issuer.token({ jti }));
    assert.ok(outcome.kind === 'valid');
    return new WeakRef(outcome.token);
  };
  const first = await remembered('1');
  await setImmediate();
  collectGarbage();
  assert.ok(first.deref(), 'kept while it is valid');

  issuer.advance(3_631);
  await remembered('2');
  await setImmediate();
  collectGarbage();
  assert.equal(first.deref(), undefined);
});

test('a token accepted once is refused when it is revoked, and the answer for a known one needs no waiting (RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const options = { ...declaration(issuer), background: false };
  const runtime = runtimeOf(options);
  const trusted = trustedIssuers(declaration(issuer), serverUrl, runtime, new Map());
  const revocations = revocationWatch(declaration(issuer), trusted, 30, runtime);
  const check = rememberedValidation({ trusted, clockSkewSeconds: 30, runtime, revocations });
  const token = await issuer.token();
  assert.equal((await check(token)).kind, 'valid');
  const known = check(token);
  assert.ok(!(known instanceof Promise) && known.kind === 'valid');

  issuer.feed.revoke({ jti: 'tkn_1' });
  issuer.advance(2.1);
  const refused = await check(token);
  assert.ok(refused.kind === 'refused' && refused.reason === 'revoked');
});

test('a clock that tells no time accepts nothing (RS-20, RS-57)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ iat: undefined });
  assert.equal((await server.send({ token })).status, 200);
  issuer.clock.now = new Date(Number.NaN);
  assert.equal((await server.send({ token })).status, 401);
  const other = await issuer.token({ iat: undefined, exp: 4_000_000_000, jti: 'tkn_2' });
  assert.equal((await server.send({ token: other })).status, 401);
});

function getRequest(token: string): GuardRequest {
  return {
    method: 'GET',
    target: '/mcp',
    header: (name) => ({ host: ['localhost'], authorization: [`Bearer ${token}`] })[name] ?? [],
    hasBody: false,
    body: async () => ({ kind: 'unreadable' }),
    localAddress: undefined,
  };
}
