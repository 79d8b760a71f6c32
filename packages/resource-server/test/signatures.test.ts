import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompactSign, exportJWK, generateKeyPair, importJWK } from 'jose';
import type { SigningAlgorithm } from '../src/algorithms.ts';
import { isSigned } from '../src/validate-token.ts';

const algorithms: readonly SigningAlgorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

async function keyFor(algorithm: SigningAlgorithm) {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(publicKey);
  const imported = async (as: string): Promise<CryptoKey> => {
    const key = await importJWK(jwk, as);
    assert.ok(!(key instanceof Uint8Array));
    return key;
  };
  const sign = (text: string): Promise<string> =>
    new CompactSign(new TextEncoder().encode(text))
      .setProtectedHeader({ alg: algorithm })
      .sign(privateKey);
  return { imported, sign };
}

for (const algorithm of algorithms) {
  test(`${algorithm}: only the signature of this text by this key passes (RS-17)`, async () => {
    const [own, stranger] = [await keyFor(algorithm), await keyFor(algorithm)];
    const key = await own.imported(algorithm);
    const token = await own.sign('{"a":1}');
    assert.equal(await isSigned(token, key, algorithm), true);

    const [header, payload, signature = ''] = token.split('.');
    const [, otherPayload] = (await own.sign('{"a":2}')).split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const flipped = Buffer.from(bytes);
    flipped[3] = (flipped[3] ?? 0) ^ 1;
    const wrong: Record<string, string> = {
      'another text': [header, otherPayload, signature].join('.'),
      'a stranger': await stranger.sign('{"a":1}'),
      'a flipped bit': [header, payload, flipped.toString('base64url')].join('.'),
      nothing: `${header}.${payload}.`,
      'a byte less': [header, payload, bytes.subarray(0, -1).toString('base64url')].join('.'),
      'a byte more': [
        header,
        payload,
        Buffer.concat([bytes, Buffer.of(0)]).toString('base64url'),
      ].join('.'),
      zeros: [header, payload, Buffer.alloc(bytes.length).toString('base64url')].join('.'),
    };
    for (const [what, forged] of Object.entries(wrong))
      assert.equal(await isSigned(forged, key, algorithm), false, what);
  });
}

test('a signature of the other RSA scheme, or of another digest, does not pass (RS-17)', async () => {
  const own = await keyFor('RS256');
  const token = await own.sign('{"a":1}');
  for (const other of ['PS256', 'RS384', 'RS512', 'PS512'] as const)
    assert.equal(await isSigned(token, await own.imported(other), other), false, other);
});

test('a DER signature is not one of a JWS (RS-17, RFC 7518 §3.4)', async () => {
  const { createPublicKey, generateKeyPairSync, sign } = await import('node:crypto');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const input = 'eyJhbGciOiJFUzI1NiJ9.e30';
  const der = sign('sha256', Buffer.from(input), privateKey).toString('base64url');
  const plain = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const key = await importJWK(
    createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' }),
    'ES256',
  );
  assert.ok(!(key instanceof Uint8Array));
  assert.equal(await isSigned(`${input}.${plain.toString('base64url')}`, key, 'ES256'), true);
  assert.equal(await isSigned(`${input}.${der}`, key, 'ES256'), false);
});
