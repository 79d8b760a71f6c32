import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type GuardRequest, protectMcp } from '../src/index.ts';
import {
  newKey,
  part,
  type SigningKey,
  siblingId,
  startFakeIssuer,
} from '../src/testing/fake-issuer.ts';
import { declaration } from '../src/testing/guarded-server.ts';

let key: SigningKey;
before(async () => {
  key = await newKey('snk_1');
});

function requestWith(token: string): GuardRequest {
  return {
    method: 'GET',
    target: '/mcp',
    header: (name) => ({ host: ['localhost'], authorization: [`Bearer ${token}`] })[name] ?? [],
    hasBody: false,
    body: async () => ({ kind: 'unreadable' }),
    localAddress: undefined,
  };
}

test('health tells the age of key set and feed and whether they can be reached, and asks nobody (RS-56)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const guard = protectMcp(declaration(issuer));
  t.after(() => guard.close());
  const nothingYet = { ageSeconds: undefined, reachable: undefined };
  assert.deepEqual(guard.health(), {
    status: 'ok',
    servers: [
      {
        resource: 'http://localhost:3333/mcp',
        keys: [issuer.url, `${issuer.url}/resources/res_1234567890`].map((name) => ({
          issuer: name,
          ...nothingYet,
        })),
        feed: { ...nothingYet, stage: 'stale' },
      },
    ],
  });
  assert.equal(issuer.fetches + issuer.feed.fetches, 0);

  const token = await issuer.token({ exp: 4_000_000_000 });
  await guard.decide(requestWith(token));
  issuer.advance(40);
  const { status, servers } = guard.health();
  assert.equal(status, 'ok');
  assert.partialDeepStrictEqual(servers, [
    {
      keys: [{ ageSeconds: 40, reachable: true }],
      feed: { ageSeconds: 40, reachable: true, stage: 'fresh' },
    },
  ]);
});

test('health and metrics show what cannot be reached, and what is refused for it (RS-56, RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const guard = protectMcp(declaration(issuer, { log: () => undefined }));
  t.after(() => guard.close());
  const token = await issuer.token({ exp: 4_000_000_000 });
  await guard.decide(requestWith(token));
  issuer.answer = (response) => response.destroy();
  issuer.feed.answer = (response) => response.writeHead(503).end();
  for (const wake of [...issuer.feed.waiting]) wake();
  const states: unknown[] = [];
  for (const seconds of [100, 1_000, 3_000]) {
    issuer.advance(seconds);
    const decision = await guard.decide(requestWith(token));
    const { status, servers } = guard.health();
    states.push([
      decision.kind === 'respond' ? decision.status : decision.kind,
      status,
      servers[0]?.feed?.stage,
      servers[0]?.keys[0]?.reachable,
    ]);
  }
  assert.deepEqual(states, [
    ['allow', 'degraded', 'stale', true],
    [503, 'unavailable', 'closed', true],
    [503, 'unavailable', 'closed', false],
  ]);
  const metrics = guard.metrics();
  assert.match(metrics, /^gatewarden_rs_feed_age_seconds\{resource="[^"]+"\} 4100$/m);
  assert.match(metrics, /^gatewarden_rs_feed_open\{resource="[^"]+"\} 0$/m);
  assert.match(metrics, /^gatewarden_rs_feed_failures_total\{.*reason="status 503"\} [1-9]/m);
  assert.match(metrics, /^gatewarden_rs_keys_reachable\{.*\} 0$/m);
  assert.match(metrics, /^gatewarden_rs_tokens_accepted_total\{.*\} 2$/m);
  assert.match(metrics, /^gatewarden_rs_tokens_unchecked_total\{.*\} 2$/m);
});

test('metrics count refusals by reason, in the format of Prometheus, without a word of a token (RS-56)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const log = (): void => undefined;
  const guard = protectMcp([
    declaration(issuer, { log }),
    declaration(issuer, { log, resourceId: siblingId, serverUrl: 'http://localhost:3333/notes' }),
  ]);
  t.after(() => guard.close());
  issuer.feed.revoke({ jti: 'tkn_secret' });
  const tokens = [
    await issuer.token({ jti: 'tkn_secret' }),
    await issuer.token({ iss: 'https://evil.example/"\n{}' }),
    await issuer.token({ exp: 1, jti: 'tkn_secret' }),
    `${part({ alg: 'none' })}.${part(issuer.claims())}.`,
    'garbage',
  ];
  for (const token of tokens) await guard.decide(requestWith(token));
  const metrics = guard.metrics();
  for (const reason of ['revoked', 'issuer', 'expired', 'algorithm', 'malformed']) {
    assert.match(
      metrics,
      new RegExp(`^gatewarden_rs_tokens_refused_total\\{.*reason="${reason}"\\} 1$`, 'm'),
    );
  }
  for (const line of metrics.trimEnd().split('\n')) {
    assert.match(
      line,
      /^(# (HELP|TYPE) gatewarden_rs_[a-z_]+ .+|gatewarden_rs_[a-z_]+\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\} \d+(\.\d+)?)$/,
    );
  }
  const told = metrics + JSON.stringify(guard.health());
  for (const secret of ['tkn_', 'usr_1', 'snk_', 'evil', 'skc_']) assert.ok(!told.includes(secret));
});
