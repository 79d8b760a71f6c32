import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { protectMcp } from '../src/index.ts';
import { newKey, scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';
import { get, type Holder, newHolder, proofOf, refusalOf, startSite } from './dpop-site.ts';

let holder: Holder;
let thief: Holder;
before(async () => {
  [holder, thief] = await Promise.all([newHolder(), newHolder()]);
});

test('a bound token passes with a fresh proof of its key, for each request another one (RS-54, RFC 9449 section 4.3)', async (t) => {
  const site = await startSite(t, holder, 'required');
  assert.equal((await get(site, [await proofOf(site)])).status, 200);
  assert.equal((await get(site, [await proofOf(site)], { scheme: 'dpop' })).status, 200);
  const posted = await site.server.send({
    headers: [
      ['Authorization', `DPoP ${site.token}`],
      ['DPoP', await proofOf(site, { claims: { htm: 'POST' } })],
    ],
    body: toolCall('list_todos'),
  });
  assert.equal(posted.status, 200);
  assert.equal(site.server.calls.length, 3);
});

test('proofs of every listed kind of key pass (RS-54)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { dpop: 'required' }));
  for (const alg of ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256']) {
    const by = await newHolder(alg);
    const token = await issuer.token({ cnf: { jkt: by.jkt } });
    const site = { issuer, server, token, holder: by };
    const answer = await get(site, [await proofOf(site, { header: { alg } })]);
    assert.equal(answer.status, 200, `${alg}: ${answer.text}`);
  }
});

test('a stolen bound token is no Bearer token, whether DPoP is off, optional or required (RS-54, RFC 9449 section 7.2)', async (t) => {
  for (const dpop of [undefined, 'off', 'optional', 'required'] as const) {
    const site = await startSite(t, holder, dpop);
    const proof = await proofOf(site);
    for (const proofs of [[], [proof]]) {
      const answer = await get(site, proofs, { scheme: 'Bearer' });
      assert.deepEqual([answer.status, challengeOf(answer)['error']], [401, 'invalid_token'], dpop);
      assert.equal(site.server.events.at(-1)?.reason, 'sender_constrained');
    }
    assert.equal(site.server.calls.length, 0);
  }
});

test('a token that is bound in a way nobody here can check is refused (RS-54, RFC 8705 section 3)', async (t) => {
  for (const dpop of ['off', 'optional', 'required'] as const) {
    const site = await startSite(t, holder, dpop);
    for (const cnf of [
      { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' },
      { jkt: holder.jkt, 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' },
      {},
      null,
      'x',
      { jkt: '' },
      { jkt: [holder.jkt] },
    ]) {
      const token = await site.issuer.token({ cnf });
      const proof = await proofOf({ ...site, token });
      for (const scheme of ['Bearer', 'DPoP'])
        assert.equal((await get(site, [proof], { token, scheme })).status, 401, `${dpop} ${cnf}`);
    }
    assert.equal(site.server.calls.length, 0);
  }
});

test('with DPoP off its scheme is no token at all, and nothing of it is offered (RS-54, RS-11, RS-13)', async (t) => {
  const site = await startSite(t, holder, undefined);
  const unbound = await site.issuer.token();
  for (const token of [site.token, unbound]) {
    const answer = await get(site, [await proofOf(site)], { token });
    assert.deepEqual([answer.status, challengeOf(answer)['error']], [401, undefined]);
    assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer (?!.*DPoP)/);
  }
  const document = await site.server.send({ path: '/.well-known/oauth-protected-resource' });
  assert.doesNotMatch(document.text, /dpop/);
});

test("a thief's own proof does not open the token: another key, no proof, two proofs (RS-54, RFC 9449 section 7.1)", async (t) => {
  const site = await startSite(t, holder, 'required');
  const stolen = await get(site, [await proofOf(site, { by: thief })]);
  assert.deepEqual(refusalOf(site, stolen), [401, 'invalid_token', 'sender_constrained']);
  const bare = await get(site, []);
  assert.deepEqual(refusalOf(site, bare), [401, 'invalid_dpop_proof', 'proof_missing']);
  const [first, second] = [await proofOf(site), await proofOf(site, { by: thief })];
  for (const proofs of [
    [first, second],
    [second, first],
    [first, first],
    [`${first}, ${second}`],
  ]) {
    const answer = await get(site, proofs);
    assert.deepEqual(refusalOf(site, answer), [401, 'invalid_dpop_proof', 'proof_repeated']);
  }
  const bothSchemes = await site.server.send({
    headers: [
      ['Authorization', `DPoP ${site.token}`],
      ['Authorization', `Bearer ${site.token}`],
      ['DPoP', first],
    ],
  });
  assert.deepEqual(
    [bothSchemes.status, challengeOf(bothSchemes)['error']],
    [400, 'invalid_request'],
  );
});

test('an unbound token passes as Bearer where proofs are optional, and nowhere else (RS-54)', async (t) => {
  const optional = await startSite(t, holder, 'optional');
  const unbound = await optional.issuer.token();
  assert.equal((await get(optional, [], { token: unbound, scheme: 'Bearer' })).status, 200);
  const bound = await get(optional, [await proofOf(optional)]);
  assert.equal(bound.status, 200);
  optional.server.calls.length = 0;
  const proof = await proofOf({ ...optional, token: unbound });
  const asDpop = await get(optional, [proof], { token: unbound });
  assert.deepEqual(refusalOf(optional, asDpop), [401, 'invalid_token', 'not_bound']);

  const required = await startSite(t, holder, 'required');
  const other = await required.issuer.token();
  for (const scheme of ['Bearer', 'DPoP']) {
    const more = { token: other, scheme };
    const answer = await get(required, [await proofOf({ ...required, token: other })], more);
    assert.deepEqual(refusalOf(required, answer), [401, 'invalid_token', 'not_bound']);
  }
});

test('challenges name the scheme that is possible, Bearer first where both are (RS-54, RS-11, RS-13)', async (t) => {
  const optional = await startSite(t, holder, 'optional', { baseScopes: ['todo:read'] });
  const asked = await optional.server.send({});
  assert.equal(
    asked.headers['www-authenticate'],
    'Bearer scope="todo:read", resource_metadata="http://localhost:3333/.well-known/oauth-protected-resource/mcp", DPoP algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"',
  );
  const bad = await optional.server.send({ token: 'nonsense' });
  assert.match(
    bad.headers['www-authenticate'] ?? '',
    /^Bearer error="invalid_token".*, DPoP algs="/,
  );
  const badDpop = await get(optional, [], { token: 'nonsense' });
  assert.match(
    badDpop.headers['www-authenticate'] ?? '',
    /^DPoP error="invalid_token"(?!.*Bearer)/,
  );

  const required = await startSite(t, holder, 'required', { baseScopes: ['todo:read'] });
  const demanded = await required.server.send({});
  assert.equal(
    demanded.headers['www-authenticate'],
    'DPoP scope="todo:read", resource_metadata="http://localhost:3333/.well-known/oauth-protected-resource/mcp", algs="ES256 ES384 EdDSA Ed25519 PS256 RS256"',
  );
  const narrow = await required.server.send({
    headers: [
      ['Authorization', `DPoP ${required.token}`],
      ['DPoP', await proofOf(required, { claims: { htm: 'POST' } })],
    ],
    body: toolCall('add_todo'),
  });
  assert.equal(narrow.status, 403);
  assert.match(
    narrow.headers['www-authenticate'] ?? '',
    /^DPoP error="insufficient_scope".*scope="todo:read todo:write".*algs="/,
  );
});

test('a proof is needed beside the checks of the token, not instead of them (RS-54)', async (t) => {
  const site = await startSite(t, holder, 'required');
  const cnf = { jkt: holder.jkt };
  const now = site.issuer.clock.now.getTime() / 1_000;
  const stranger = await newKey('snk_1');
  for (const token of [
    await site.issuer.token({ cnf, exp: now - 60 }),
    await site.issuer.token({ cnf, aud: 'res_2' }),
    await site.issuer.token({ cnf }, {}, stranger),
  ]) {
    const answer = await get(site, [await proofOf({ ...site, token })], { token });
    assert.deepEqual(refusalOf(site, answer).slice(0, 2), [401, 'invalid_token']);
  }
  const wide = await site.issuer.token({ cnf, ...scopeClaims('todo:read todo:write') });
  const proof = await proofOf({ ...site, token: wide }, { claims: { htm: 'DELETE' } });
  const deleted = await site.server.send({
    method: 'DELETE',
    headers: [
      ['Authorization', `DPoP ${wide}`],
      ['DPoP', proof],
    ],
  });
  assert.equal(deleted.status, 200);
});

test('the metadata says that proofs are taken or demanded (RS-54, RS-2)', async (t) => {
  for (const [dpop, demanded] of [
    ['optional', false],
    ['required', true],
  ] as const) {
    const site = await startSite(t, holder, dpop);
    const { text } = await site.server.send({ path: '/.well-known/oauth-protected-resource/mcp' });
    const document = JSON.parse(text);
    assert.deepEqual(
      [document.dpop_signing_alg_values_supported, document.dpop_bound_access_tokens_required],
      [['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'], demanded],
    );
  }
});

test('a misspelled mode stops the start (RS-54)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const wrong = { ...declaration(issuer), dpop: 'Required' as 'required' };
  assert.throws(() => protectMcp(wrong), { code: 'invalid_option' });
});
