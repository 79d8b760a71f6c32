import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { UnsecuredJWT } from 'jose';
import { JWT_BEARER } from './client-assertion.ts';
import { authenticateClient } from './client-authentication.ts';
import { jwksProblem } from './client-jwks.ts';
import { updateClient } from './manage-clients.ts';
import { at, made, outcome, post } from './test-authentication.ts';
import { documentSite, signer, testClients } from './test-clients.ts';

function rsaKey(bits: number, exponentBytes = 3): Record<string, string> {
  const odd = (bytes: number): string => {
    const value = randomBytes(bytes);
    value[0] = (value[0] ?? 0) | 0x80;
    value[bytes - 1] = (value[bytes - 1] ?? 0) | 1;
    return value.toString('base64url');
  };
  return { kty: 'RSA', n: odd(bits / 8), e: exponentBytes === 3 ? 'AQAB' : odd(exponentBytes) };
}

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

/** What the token endpoint says to an assertion of a client whose key set is this text. */
async function answers(t: Parameters<typeof documentSite>[0], bodies: readonly string[]) {
  const clients = await testClients({ kind: 'PRODUCTION' });
  await clients.settings({ limits: { failedAuthenticationPerMinute: 10_000 } });
  const { ctx } = clients;
  const site = await documentSite(t);
  const server = await clients.mcpServer();
  const key = await signer();
  const results: string[] = [];
  for (const [index, body] of bodies.entries()) {
    const { id } = await made(ctx, {
      kind: 'mcp',
      mcpServerId: server.id,
      name: 'Signer',
      tokenEndpointAuthMethod: 'private_key_jwt',
      jwksUri: site.answer(`/jwks/${index}`, {
        body: body.replace('"GOOD"', JSON.stringify(key.jwk)),
      }),
    });
    const now = Math.floor(ctx.now().getTime() / 1000);
    const assertion = await key.sign({
      iss: id,
      sub: id,
      aud: ctx.issuer,
      exp: now + 60,
      jti: randomUUID(),
    });
    const form = { client_assertion_type: JWT_BEARER, client_assertion: assertion };
    results.push(await outcome(authenticateClient(ctx, post(form), at(ctx, server))));
  }
  return results;
}

test('whatever a key set holds beside a good key, it is read, stored and used without a fault of ours (AS-92, hostile key set)', async (t) => {
  const beside = [
    `{"kty":"RSA","n":"AQ","e":"AQAB"}`,
    JSON.stringify({ kty: 'EC', crv: 'P-256', x: 'é', y: 1 }),
    `{"kty":"EC","kid":"a\\u0000b","crv":"P-256","x":"AA","y":"AA"}`,
    `{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"\\ud800"}`,
    `{"kty":"RSA","n":${nested(9000)},"e":"AQAB"}`,
    `{"kty":"EC","x5c":${nested(9000)}}`,
    `{"kty":"RSA","n":"AQAB","e":"AQAB","__proto__":{"kty":"oct"}}`,
    `{"kty":["RSA"]}`,
    `{"kty":"RSA","e":1e400,"n":-0}`,
    `null, 7, "key", [], [[]], {}`,
  ];
  const results = await answers(
    t,
    beside.map((entry) => `{"keys":[${entry},"GOOD"]}`),
  );
  assert.deepEqual(
    results,
    beside.map(() => 'assertion'),
  );
});

test('a key set without a usable key is the client’s fault: 401, and never 500 (AS-92, hostile key set)', async (t) => {
  const bodies = [
    '{}',
    '{"keys":{}}',
    '{"keys":[]}',
    nested(9000),
    `{"keys":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    `{"keys":[${JSON.stringify(rsaKey(1024))}]}`,
    `{"keys":[{"kty":"oct","k":"AAAA"}]}`,
    `{"keys":[{"kty":"oct","k":"AAAA"},"GOOD"]}`,
    `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"},"GOOD"]}`,
    `{"keys":[${Array.from({ length: 51 }, () => '{"kty":"RSA"}').join(',')},"GOOD"]}`,
    '"keys"',
    '\u0000',
  ];
  const results = await answers(t, bodies);
  assert.deepEqual(
    results,
    bodies.map(() => '401 invalid_client'),
  );
});

test('keys that only cost time are left out: too long a modulus, a long exponent, too many without an id (AS-92, denial of service)', async () => {
  const kept = (key: unknown): number => {
    const check = jwksProblem({ keys: [key] });
    return check.kind === 'valid' ? check.jwks.keys.length : 0;
  };
  assert.equal(kept(rsaKey(2048)), 1);
  assert.equal(kept(rsaKey(4096)), 1);
  assert.equal(kept(rsaKey(2040)), 0);
  assert.equal(kept(rsaKey(16_384)), 0);
  assert.equal(kept(rsaKey(3072, 384)), 0);

  const clients = await testClients();
  await clients.settings({ limits: { failedAuthenticationPerMinute: 10_000 } });
  const { ctx } = clients;
  const server = await clients.mcpServer();
  const key = await signer('mine', 'RS256');
  const { kid: _, ...anonymous } = key.jwk;
  const decoys = Array.from({ length: 49 }, () => ({ ...rsaKey(2048) }));
  const { id } = await made(ctx, {
    kind: 'mcp',
    mcpServerId: server.id,
    name: 'Signer',
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [...decoys, { ...anonymous }] },
  });
  const now = Math.floor(ctx.now().getTime() / 1000);
  const claims = () => ({ iss: id, sub: id, aud: ctx.issuer, exp: now + 60, jti: randomUUID() });
  const present = async () => {
    // No key id: every RSA key could have made it.
    const assertion = await key.sign(claims(), { kid: undefined });
    return await outcome(
      authenticateClient(
        ctx,
        post({ client_assertion_type: JWT_BEARER, client_assertion: assertion }),
        at(ctx, server),
      ),
    );
  };
  assert.equal(await present(), '401 invalid_client');
  // With few enough of them the signature decides.
  await updateClient(ctx, id, { jwks: { keys: [...decoys.slice(0, 4), { ...anonymous }] } });
  assert.equal(await present(), 'assertion');
});

test('an assertion without a signature, with a foreign key in its header, or with critical extensions is refused (RFC 8725 section 3.1)', async () => {
  const clients = await testClients();
  await clients.settings({ limits: { failedAuthenticationPerMinute: 10_000 } });
  const { ctx } = clients;
  const server = await clients.mcpServer();
  const [own, foreign] = [await signer('own'), await signer('own')];
  const { id } = await made(ctx, {
    kind: 'mcp',
    mcpServerId: server.id,
    name: 'Signer',
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [{ ...own.jwk }] },
  });
  const now = Math.floor(ctx.now().getTime() / 1000);
  const claims = () => ({ iss: id, sub: id, aud: ctx.issuer, exp: now + 60, jti: randomUUID() });
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const [header = '', payload = '', signature = ''] = (await own.sign(claims())).split('.');
  const forged = [
    new UnsecuredJWT(claims()).encode(),
    await foreign.sign(claims(), { jwk: foreign.jwk }),
    await foreign.sign(claims(), { jku: 'https://evil.example/keys' }),
    await own.sign(claims(), { crit: ['exp'], exp: 1 }).catch(() => 'x.y.z'),
    `${part({ alg: 'ES256', kid: 'own', crit: ['evil'], evil: true })}.${payload}.${signature}`,
    `${part({ alg: 'none', kid: 'own' })}.${payload}.`,
    `${part({ alg: 'ES256', kid: 'own', b64: false, crit: ['b64'] })}.${payload}.${signature}`,
    `${header}.${payload}.`,
    `${header}.${payload}`,
    `${header}.${part({ ...claims(), sub: 'm2m_1' })}.${signature}`,
    '..',
    '',
  ];
  for (const assertion of forged) {
    const form = {
      client_id: id,
      client_assertion_type: JWT_BEARER,
      ...(assertion === '' ? {} : { client_assertion: assertion }),
    };
    const result = await outcome(authenticateClient(ctx, post(form), at(ctx, server)));
    assert.equal(result, '401 invalid_client', assertion);
  }
});
