import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { before, test } from 'node:test';
import { CompactSign, exportSPKI, importJWK } from 'jose';
import { protectMcp } from '../src/index.ts';
import {
  newKey,
  part,
  resourceId,
  type SigningKey,
  serverUrl,
  siblingId,
  signText,
  startFakeIssuer,
} from '../src/testing/fake-issuer.ts';
import {
  type Answer,
  challengeOf,
  declaration,
  startGuarded,
} from '../src/testing/guarded-server.ts';

let rsa: SigningKey;
let otherRsa: SigningKey;
let ec: SigningKey;
before(async () => {
  [rsa, otherRsa, ec] = await Promise.all([
    newKey('snk_1'),
    newKey('snk_1'),
    newKey('snk_ec', 'ES256'),
  ]);
});

function assertInvalid(answer: Answer, name: string): void {
  assert.equal(answer.status, 401, name);
  assert.equal(challengeOf(answer)['error'], 'invalid_token', name);
}

test('a valid token passes and its claims arrive in the shape of the MCP SDK (RS-17, RS-26)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ org_id: 'org_1' });

  assert.equal((await server.send({ token })).status, 200);

  const [call] = server.calls;
  assert.partialDeepStrictEqual(call?.auth, {
    token,
    clientId: 'skc_1',
    scopes: ['todo:read'],
    expiresAt: issuer.claims()['exp'],
    resource: new URL(serverUrl),
    extra: {
      issuer: issuer.url,
      subject: 'usr_1',
      organizationId: 'org_1',
      tokenId: 'tkn_1',
      machine: false,
    },
  });
});

test('forged signatures and header tricks are refused (RS-17)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  issuer.published = [rsa.jwk, ec.jwk];
  const server = await startGuarded(t, declaration(issuer));
  const payload = part(issuer.claims());
  const valid = await issuer.token();
  const [header = '', body = '', signature = ''] = valid.split('.');
  const publicPem = await exportSPKI((await importJWK(rsa.jwk)) as CryptoKey);
  const hs256 = (secret: string): string => {
    const input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'snk_1' })}.${payload}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const ownKey = { typ: 'at+jwt', kid: 'snk_1' };
  const claims = JSON.stringify(issuer.claims());
  const signed = (more: object): Promise<string> =>
    signText(JSON.stringify({ ...ownKey, alg: 'RS256', ...more }), claims, rsa);
  const tokens: Record<string, string> = {
    'alg none without signature': `${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
    'alg none with kid': `${part({ alg: 'none', typ: 'at+jwt', kid: 'snk_1' })}.${payload}.`,
    'alg None, other case': `${part({ alg: 'None', typ: 'at+jwt', kid: 'snk_1' })}.${payload}.AA`,
    'alg absent': `${part({ typ: 'at+jwt', kid: 'snk_1' })}.${payload}.${signature}`,
    'alg as a list': `${part({ alg: ['RS256'], typ: 'at+jwt', kid: 'snk_1' })}.${payload}.${signature}`,
    'HS256 with the public key as secret': hs256(publicPem),
    'HS256 with the public JWK as secret': hs256(JSON.stringify(rsa.jwk)),
    'another key under the same id': await issuer.token({}, {}, otherRsa),
    'embedded jwk': await issuer.token({}, { jwk: otherRsa.jwk }, otherRsa),
    'jku of the attacker': await issuer.token({}, { jku: 'https://evil.example/keys' }, otherRsa),
    'x5u and x5c of the attacker': await issuer.token(
      {},
      { x5u: 'https://evil.example/cert', x5c: ['MIIB'] },
      otherRsa,
    ),
    'kid with a path': await issuer.token({}, { kid: '../../dev/null' }),
    'kid with SQL': await issuer.token({}, { kid: "x' union select 'secret" }),
    'kid __proto__': await issuer.token({}, { kid: '__proto__' }),
    'kid not a text': `${part({ ...ownKey, alg: 'RS256', kid: 7 })}.${payload}.${signature}`,
    'kid too long': await issuer.token({}, { kid: 'k'.repeat(300) }),
    'kid absent': await issuer.token({}, { kid: undefined }),
    'RS256 under the id of an EC key': await issuer.token({}, { kid: 'snk_ec' }),
    'ES256, which is not allowed': await issuer.token({}, { kid: 'snk_ec' }, ec),
    'PS256 by the same key, which is not allowed': await ps256(issuer.claims()),
    'unknown critical extension': await signed({ crit: ['gw'], gw: 1 }),
    'critical extension a library knows': await signed({ crit: ['b64'], b64: true }),
    'crit empty': await signed({ crit: [] }),
    'payload not encoded (b64 false)': await signed({ b64: false }),
    'compressed (zip)': await signed({ zip: 'DEF' }),
    'alg twice': await signText(
      '{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"snk_1"}',
      claims,
      rsa,
    ),
    'alg twice, one escaped': await signText(
      '{"alg":"RS256","\\u0061lg":"RS256","typ":"at+jwt","kid":"snk_1"}',
      claims,
      rsa,
    ),
    'audience twice': await signText(
      JSON.stringify({ ...ownKey, alg: 'RS256' }),
      claims.replace('{', '{"aud":"https://other.example",'),
      rsa,
    ),
    'payload with a byte order mark': await signText(
      JSON.stringify({ ...ownKey, alg: 'RS256' }),
      `\ufeff${claims}`,
      rsa,
    ),
    'padded signature': `${valid}==`,
    'signature with unused bits': `${header}.${body}.${nextSpelling(signature)}`,
    'empty signature': `${header}.${body}.`,
    'swapped payload': `${header}.${part(issuer.claims({ sub: 'usr_2' }))}.${signature}`,
    'header not an object': `${part('[]')}.${body}.${signature}`,
    'header not JSON': `${part('{')}.${body}.${signature}`,
    'four parts': `${valid}.${signature}`,
    'five parts, as if encrypted': `${header}.${body}.${signature}.${body}.${signature}`,
    'one part': 'garbage',
  };
  for (const [name, token] of Object.entries(tokens))
    assertInvalid(await server.send({ token }), name);
  assert.deepEqual(server.calls, []);
  assert.equal(
    (await server.send({ token: valid })).status,
    200,
    'the untouched token still passes',
  );

  async function ps256(content: Record<string, unknown>): Promise<string> {
    const { subtle } = crypto;
    const der = await subtle.exportKey('pkcs8', rsa.privateKey);
    const key = await subtle.importKey('pkcs8', der, { name: 'RSA-PSS', hash: 'SHA-256' }, false, [
      'sign',
    ]);
    return new CompactSign(new TextEncoder().encode(JSON.stringify(content)))
      .setProtectedHeader({ ...ownKey, alg: 'PS256' })
      .sign(key);
  }
});

/** Another base64url spelling of the same bytes: the last character's unused bits changed. */
function nextSpelling(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(text.at(-1) ?? '');
  const other = `${text.slice(0, -1)}${alphabet[last + 1]}`;
  assert.deepEqual(Buffer.from(other, 'base64url'), Buffer.from(text, 'base64url'));
  return other;
}

test('a token of another issuer, or for another server, is refused (RS-18, RS-19)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const cases: Record<string, Record<string, unknown>> = {
    'a stranger as issuer': { iss: 'https://evil.example' },
    'issuer with a slash': { iss: `${issuer.url}/` },
    'the sibling server as issuer': { iss: `${issuer.url}/resources/${siblingId}` },
    'issuer below ours': { iss: `${issuer.url}/resources/${resourceId}/x` },
    'issuer as a list': { iss: [issuer.url] },
    'no issuer': { iss: undefined },
    'the sibling as audience': { aud: ['http://localhost:3334/mcp', siblingId] },
    'audience with a slash': { aud: [`${serverUrl}/`] },
    'audience in other case': { aud: ['http://localhost:3333/MCP'] },
    'audience at another port': { aud: ['http://localhost/mcp'] },
    'audience above ours': { aud: ['http://localhost:3333'] },
    'audience that only begins like ours': { aud: [`${serverUrl}.evil.example`] },
    'resource id inside a longer one': { aud: [`${resourceId}0`] },
    'audience as an object': { aud: { [serverUrl]: true } },
    'a list with something else than texts': { aud: [serverUrl, 7] },
    'empty audience': { aud: [] },
    'no audience': { aud: undefined },
  };
  for (const [name, claims] of Object.entries(cases)) {
    assertInvalid(await server.send({ token: await issuer.token(claims) }), name);
  }
  assert.deepEqual(server.calls, []);
  for (const claims of [
    { aud: serverUrl },
    { aud: resourceId },
    { aud: ['other', resourceId] },
    { iss: `${issuer.url}/resources/${resourceId}` },
  ]) {
    assert.equal((await server.send({ token: await issuer.token(claims) })).status, 200);
  }
});

test('only the end, start and issue times of the token count, with 30 seconds of tolerance (RS-20)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const now = Number(issuer.claims()['iat']);
  const cases: [Record<string, unknown>, number][] = [
    [{ exp: now - 10 }, 200],
    [{ exp: now - 29 }, 200],
    [{ exp: now - 30 }, 401],
    [{ exp: now - 60 }, 401],
    [{ exp: undefined }, 401],
    [{ exp: '9999999999' }, 401],
    [{ exp: null }, 401],
    [{ nbf: now + 20 }, 200],
    [{ nbf: now + 60 }, 401],
    [{ nbf: 'soon' }, 401],
    [{ iat: now + 20 }, 200],
    [{ iat: now + 600 }, 401],
    [{ iat: undefined }, 200],
  ];
  for (const [claims, status] of cases) {
    const answer = await server.send({ token: await issuer.token(claims) });
    assert.equal(answer.status, status, JSON.stringify(claims));
  }
  const infinite = JSON.stringify(issuer.claims()).replace(/"exp":\d+/, '"exp":1e999');
  const header = JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid: 'snk_1' });
  assertInvalid(await server.send({ token: await signText(header, infinite, rsa) }), 'infinite');
});

test('an ID token and every other kind of JWT is refused (RS-21)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const idToken = {
    aud: 'skc_1',
    client_id: undefined,
    scope: undefined,
    scopes: undefined,
    nonce: 'n',
  };
  for (const typ of [
    'JWT',
    undefined,
    'logout+jwt',
    'idp-login+jwt',
    'gatewarden-revocations+jwt',
    'AT+JWT',
    7,
  ]) {
    assertInvalid(await server.send({ token: await issuer.token({}, { typ }) }), `typ ${typ}`);
    assertInvalid(
      await server.send({ token: await issuer.token(idToken, { typ }) }),
      `ID token, typ ${typ}`,
    );
  }
  assert.equal(
    (await server.send({ token: await issuer.token({}, { typ: 'application/at+jwt' }) })).status,
    200,
  );
});

test('allowUntyped takes typ JWT, but still no ID token, even with the client as audience (RS-21)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(
    t,
    declaration(issuer, { allowUntyped: true, audiences: ['skc_1', resourceId] }),
  );
  for (const typ of ['JWT', undefined]) {
    assert.equal((await server.send({ token: await issuer.token({}, { typ }) })).status, 200);
    for (const sign of ['nonce', 'at_hash', 'c_hash', 's_hash', 'events']) {
      assertInvalid(
        await server.send({ token: await issuer.token({ [sign]: 'x' }, { typ }) }),
        sign,
      );
    }
    for (const lacking of ['client_id', 'sub', 'jti']) {
      const claims = { aud: 'skc_1', azp: 'skc_1', [lacking]: undefined };
      assertInvalid(await server.send({ token: await issuer.token(claims, { typ }) }), lacking);
    }
  }
  assertInvalid(
    await server.send({ token: await issuer.token({}, { typ: 'logout+jwt' }) }),
    'other typ',
  );
});

test('subject and client must be named; machine tokens are known by gty (RS-22)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  for (const claims of [
    { sub: undefined },
    { sub: '' },
    { sub: 7 },
    { client_id: undefined },
    { client_id: {} },
  ]) {
    assertInvalid(await server.send({ token: await issuer.token(claims) }), JSON.stringify(claims));
  }
  await server.send({ token: await issuer.token({ client_id: undefined, azp: 'skc_2' }) });
  await server.send({ token: await issuer.token({ sub: 'skc_1', gty: 'client-credentials' }) });
  assert.partialDeepStrictEqual(server.calls, [
    { auth: { clientId: 'skc_2', extra: { machine: false } } },
    { auth: { extra: { machine: true } } },
  ]);
});

test('tokens that are too large, nested or not objects are refused (RS-23)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const header = JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid: 'snk_1' });
  const nestedHeader = JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid: 'snk_1', cty: 'JWT' });
  const claims = JSON.stringify(issuer.claims());
  for (const [name, token] of Object.entries({
    'a token inside a token': await signText(nestedHeader, await issuer.token(), rsa),
    'content type JWT': await signText(nestedHeader, claims, rsa),
    'a list': await signText(header, `[${claims}]`, rsa),
    null: await signText(header, 'null', rsa),
  })) {
    assertInvalid(await server.send({ token }), name);
  }
});

test('a token above 16 KiB is refused although it is signed (RS-23)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const guard = protectMcp(declaration(issuer));
  const statusOf = async (padding: number): Promise<number | string> => {
    const token = await issuer.token({ padding: 'x'.repeat(padding) });
    const decision = await guard.decide({
      method: 'GET',
      target: '/mcp',
      header: (name) => ({ host: ['localhost'], authorization: [`Bearer ${token}`] })[name] ?? [],
      hasBody: false,
      body: async () => ({ kind: 'unreadable' }),
      localAddress: undefined,
    });
    return decision.kind === 'respond' ? decision.status : decision.kind;
  };
  assert.equal(await statusOf(11_000), 'allow');
  assert.equal(await statusOf(12_000), 401);
});

test('a token whose scopes say more than its scope is refused (RS-24)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const cases: [Record<string, unknown>, number][] = [
    [{ scope: 'todo:read', scopes: ['todo:read', 'todo:write'] }, 401],
    [{ scope: 'todo:read', scopes: ['todo:write'] }, 401],
    [{ scope: 'todo:read todo:write', scopes: ['todo:read'] }, 401],
    [{ scope: undefined, scopes: ['todo:read'] }, 401],
    [{ scope: ['todo:read'], scopes: ['todo:read'] }, 401],
    [{ scope: 'todo:read', scopes: 'todo:read' }, 401],
    [{ scope: 'todo:read', scopes: [['todo:read']] }, 401],
    [{ scope: 'todo:"read"', scopes: undefined }, 401],
    [{ scope: 'todo:read', scopes: undefined }, 200],
    [{ scope: 'a b', scopes: ['b', 'a'] }, 200],
    [{ scope: undefined, scopes: undefined }, 200],
  ];
  for (const [claims, status] of cases) {
    const answer = await server.send({ token: await issuer.token(claims) });
    assert.equal(answer.status, status, JSON.stringify(claims));
  }
});

test('refusals tell the operator why, never with the token (RS-29)', async (t) => {
  const issuer = await startFakeIssuer(t, rsa);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ aud: siblingId, jti: `tkn_1\r\n${'x'.repeat(100)}` });

  await server.send({ token });

  const text = JSON.stringify(server.events);
  assert.partialDeepStrictEqual(server.events, [
    { event: 'token_refused', reason: 'audience', subject: 'usr_1', clientId: 'skc_1' },
  ]);
  for (const piece of token.split('.')) assert.ok(!text.includes(piece));
  assert.ok(!text.includes('\\r') && (server.events[0]?.tokenId?.length ?? 0) <= 64);
});
