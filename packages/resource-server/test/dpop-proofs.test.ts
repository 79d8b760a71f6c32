import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { before, test } from 'node:test';
import { exportJWK } from 'jose';
import { dpopRules } from '../src/dpop.ts';
import { runtimeOf } from '../src/runtime/defaults.ts';
import { part, serverUrl } from '../src/testing/fake-issuer.ts';
import { get, type Holder, newHolder, proofOf, refusalOf, startSite } from './dpop-site.ts';

let holder: Holder;
let thief: Holder;
before(async () => {
  [holder, thief] = await Promise.all([newHolder(), newHolder()]);
});

test('a proof counts once, and so does its jti under the same key (RS-54, replay)', async (t) => {
  const site = await startSite(t, holder, 'required');
  const proof = await proofOf(site, { claims: { jti: 'once' } });
  assert.equal((await get(site, [proof])).status, 200);
  site.server.calls.length = 0;
  const replays = await Promise.all([1, 2, 3].map(() => get(site, [proof])));
  for (const answer of replays)
    assert.deepEqual(refusalOf(site, answer), [401, 'invalid_dpop_proof', 'proof_replayed']);
  site.issuer.advance(5);
  const sameId = await proofOf(site, { claims: { jti: 'once' } });
  const answer = await get(site, [sameId]);
  assert.deepEqual(refusalOf(site, answer), [401, 'invalid_dpop_proof', 'proof_replayed']);
});

test('of requests that race with the same proof one passes (RS-54, replay)', async (t) => {
  const site = await startSite(t, holder, 'required');
  const proof = await proofOf(site);
  const answers = await Promise.all(Array.from({ length: 8 }, () => get(site, [proof])));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(site.server.calls.length, 1);
});

test('a proof for another method, URL, token or time is refused (RS-54, RFC 9449 section 4.3)', async (t) => {
  const site = await startSite(t, holder, 'required');
  const now = Math.floor(site.issuer.clock.now.getTime() / 1_000);
  const other = await site.issuer.token({ jti: 'tkn_2', cnf: { jkt: holder.jkt } });
  const claims: readonly [string, Record<string, unknown>][] = [
    ['method', { htm: 'POST' }],
    ['method', { htm: 'get' }],
    ['method', { htm: undefined }],
    ['url', { htu: 'http://localhost:3333/other' }],
    ['url', { htu: 'http://localhost:3333/mcp/' }],
    ['url', { htu: 'http://localhost:3333/MCP' }],
    ['url', { htu: 'http://localhost:3334/mcp' }],
    ['url', { htu: 'https://localhost:3333/mcp' }],
    ['url', { htu: 'http://evil.example/mcp' }],
    ['url', { htu: 'http://a:b@localhost:3333/mcp' }],
    ['url', { htu: 'http://localhost:3333\\mcp' }],
    ['url', { htu: 'http:/localhost:3333/mcp' }],
    ['url', { htu: '/mcp' }],
    ['url', { htu: [serverUrl] }],
    ['url', { htu: undefined }],
    ['token', { ath: createHash('sha256').update(other).digest('base64url') }],
    ['token', { ath: createHash('sha256').update(site.token).digest('base64') }],
    ['token', { ath: '' }],
    ['token', { ath: undefined }],
    ['time', { iat: now - 91 }],
    ['time', { iat: now + 31 }],
    ['time', { iat: now * 1_000 }],
    ['malformed', { iat: String(now) }],
    ['malformed', { iat: undefined }],
    ['malformed', { jti: undefined }],
    ['malformed', { jti: '' }],
    ['malformed', { jti: 7 }],
    ['malformed', { jti: 'j'.repeat(257) }],
  ];
  for (const [fault, changed] of claims) {
    const answer = await get(site, [await proofOf(site, { claims: changed })]);
    assert.deepEqual(
      refusalOf(site, answer),
      [401, 'invalid_dpop_proof', `proof_${fault}`],
      JSON.stringify(changed),
    );
  }
  const good = await proofOf(site);
  const moved = await get(site, [good], { token: other });
  assert.deepEqual(refusalOf(site, moved), [401, 'invalid_dpop_proof', 'proof_token']);
});

test('an expired proof is refused, one of slightly different clocks is not (RS-54)', async (t) => {
  const site = await startSite(t, holder, 'required');
  const [kept, early, late] = await Promise.all([
    proofOf(site),
    proofOf(site, { claims: { iat: site.issuer.clock.now.getTime() / 1_000 + 29 } }),
    proofOf(site, { claims: { iat: site.issuer.clock.now.getTime() / 1_000 - 89 } }),
  ]);
  for (const proof of [early, late]) assert.equal((await get(site, [proof])).status, 200);
  site.server.calls.length = 0;
  site.issuer.advance(91);
  const answer = await get(site, [kept]);
  assert.deepEqual(refusalOf(site, answer), [401, 'invalid_dpop_proof', 'proof_time']);
});

test('the URL of a proof is compared without query and fragment and as RFC 3986 normalises it (RS-54)', async (t) => {
  const site = await startSite(t, holder, 'required');
  for (const [htu, path] of [
    ['http://localhost:3333/mcp?x=1#y', '/mcp'],
    [serverUrl, '/mcp?session=1'],
    ['HTTP://LOCALHOST:3333/mcp', '/mcp'],
    ['http://localhost:3333/%6dcp', '/mcp'],
    ['http://localhost:3333/a/../mcp', '/mcp'],
    ['http://localhost:3333/mcp/', '/mcp/'],
  ] as const)
    assert.equal(
      (await get(site, [await proofOf(site, { claims: { htu } })], { path })).status,
      200,
      htu,
    );
});

test('the URL of a proof is the public one, whatever Host and path this process sees (RS-54, RS-4)', async (t) => {
  const site = await startSite(t, holder, 'required', {
    serverUrl: 'https://mcp.example.com/team/mcp',
    path: '/mcp',
    audiences: [serverUrl],
    allowedHosts: ['localhost'],
    checkOrigin: false,
  });
  const at = async (htu: string, path = '/mcp'): Promise<number> =>
    (await get(site, [await proofOf(site, { claims: { htu } })], { path })).status;
  assert.equal(await at('https://mcp.example.com/team/mcp'), 200);
  assert.equal(await at('https://mcp.example.com:443/team/mcp'), 200);
  assert.equal(await at('https://mcp.example.com/team/mcp/', '/mcp/'), 200);
  assert.equal(await at('https://mcp.example.com/mcp'), 401);
  assert.equal(await at(`http://localhost:${site.server.port}/mcp`), 401);
  assert.equal(await at('https://mcp.example.com/team/mcp', '/other'), 401);
});

test('forged proofs and header tricks are refused (RS-54, RFC 9449 section 11)', async (t) => {
  const site = await startSite(t, holder, 'required');
  const good = await proofOf(site);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const rsa = await newHolder('RS256');
  const p384 = { ...holder, jwk: (await newHolder('ES384')).jwk };
  const weak = Buffer.alloc(128, 0xc1).toString('base64url'); // 1,024 bits
  const privateJwk = await exportJWK(holder.privateKey);
  const head = { typ: 'dpop+jwt', jwk: holder.jwk };
  const hmac = `${part({ ...head, alg: 'HS256' })}.${payload}`;
  const octets = `${part({ typ: 'dpop+jwt', alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } })}.${payload}`;
  const mac = (input: string): string =>
    createHmac('sha256', Buffer.alloc(3)).update(input).digest('base64url');
  const proofs: readonly [string, string, string][] = [
    ['a private key in jwk', 'key', await proofOf(site, { header: { jwk: privateJwk } })],
    ['alg none', 'algorithm', `${part({ ...head, alg: 'none' })}.${payload}.`],
    ['HS256 under an EC key', 'algorithm', `${hmac}.${mac(hmac)}`],
    ['HS256 under its own secret', 'algorithm', `${octets}.${mac(octets)}`],
    ['no jwk', 'key', await proofOf(site, { header: { jwk: undefined } })],
    ['a key for another algorithm', 'key', await proofOf(site, { by: p384 })],
    [
      'a short modulus',
      'key',
      `${part({ ...head, alg: 'RS256', jwk: { kty: 'RSA', n: weak, e: 'AQAB' } })}.${payload}.AAAA`,
    ],
    [
      'a huge exponent',
      'key',
      `${part({ ...head, alg: 'RS256', jwk: { ...rsa.jwk, e: rsa.jwk.n } })}.${payload}.AAAA`,
    ],
    [
      'a huge modulus',
      'key',
      `${part({ ...head, alg: 'RS256', jwk: { kty: 'RSA', n: `u${'A'.repeat(900)}`, e: 'AQAB' } })}.${payload}.AAAA`,
    ],
    ['typ JWT', 'malformed', await proofOf(site, { header: { typ: 'JWT' } })],
    ['no typ', 'malformed', await proofOf(site, { header: { typ: undefined } })],
    ['the access token itself', 'malformed', site.token],
    ['any text', 'malformed', 'hello'],
    ['nothing', 'malformed', ''],
    ['too large', 'malformed', `${good}${'A'.repeat(9_000)}`],
    [
      'a critical header',
      'malformed',
      `${part({ ...head, alg: 'ES256', crit: ['x'], x: 1 })}.${payload}.${signature}`,
    ],
    ['a changed signature', 'signature', `${header}.${payload}.${'A'.repeat(86)}`],
    ['an empty signature', 'signature', `${header}.${payload}.`],
    [
      'a changed payload',
      'signature',
      `${header}.${part({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), jti: 'new' })}.${signature}`,
    ],
    [
      "the holder's key, signed by the thief",
      'signature',
      await proofOf(site, { by: { ...thief, jwk: holder.jwk } }),
    ],
  ];
  for (const [what, fault, proof] of proofs) {
    const answer = await get(site, [proof]);
    assert.deepEqual(refusalOf(site, answer), [401, 'invalid_dpop_proof', `proof_${fault}`], what);
    assert.doesNotMatch(JSON.stringify(answer) + JSON.stringify(site.server.events), /eyJ/);
  }
  assert.equal((await get(site, [good])).status, 200);
});

test('a memory that is full refuses with 503 instead of forgetting, and one key cannot fill it for others (RS-54, flood)', async (t) => {
  const site = await startSite(t, holder, undefined);
  const runtime = runtimeOf({ now: () => site.issuer.clock.now });
  const limits = { entries: 5, entriesPerKey: 3 };
  const rules = dpopRules({ serverUrl, dpop: 'required' }, 30, runtime, limits);
  assert.ok(rules);
  const call = async (by: Holder, proof?: string): Promise<string> => {
    const text = proof ?? (await proofOf(site, { by }));
    const request = {
      method: 'GET',
      target: '/mcp',
      header: (name: string) => (name === 'dpop' ? [text] : []),
      hasBody: false,
      body: async () => ({ kind: 'unreadable' as const }),
      localAddress: undefined,
    };
    return (await rules.check(request, site.token, by.jkt)).kind;
  };
  const first = await proofOf(site);
  assert.equal(await call(holder, first), 'valid');
  for (const outcome of ['valid', 'valid', 'unavailable', 'unavailable'])
    assert.equal(await call(holder), outcome);
  for (const outcome of ['valid', 'valid', 'unavailable']) assert.equal(await call(thief), outcome);
  assert.equal(await call(holder, first), 'refused');
  site.issuer.advance(121);
  assert.equal(await call(holder), 'valid');
});
