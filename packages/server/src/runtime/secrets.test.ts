import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createSecrets, SecretUnreadable } from './secrets.ts';

const random = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
const row = { table: 'signing_keys', environmentId: 'env_1', id: 'snk_1' };

test('a ciphertext belongs to its row, table, environment and use: swapped rows cannot be read (AS-150, AS-20)', () => {
  const secrets = createSecrets([random(32)], random);
  const sealed = secrets.seal('keys-at-rest', row, Buffer.from('private'));
  assert.equal(Buffer.from(secrets.open('keys-at-rest', row, sealed)).toString(), 'private');
  assert.ok(!Buffer.from(sealed).includes('private'));
  for (const other of [
    { ...row, id: 'snk_2' },
    { ...row, environmentId: 'env_2' },
    { ...row, table: 'mails' },
  ]) {
    assert.throws(() => secrets.open('keys-at-rest', other, sealed), SecretUnreadable);
  }
  assert.throws(() => secrets.open('secrets-at-rest', row, sealed), SecretUnreadable);
});

test('a changed or shortened ciphertext is refused at every byte (AS-150)', () => {
  const secrets = createSecrets([random(32)], random);
  const sealed = secrets.seal('keys-at-rest', row, Buffer.from('x'));
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Uint8Array.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.throws(
      () => secrets.open('keys-at-rest', row, changed),
      SecretUnreadable,
      `byte ${index}`,
    );
    assert.throws(
      () => secrets.open('keys-at-rest', row, sealed.subarray(0, index)),
      SecretUnreadable,
      `length ${index}`,
    );
  }
});

test('the first operator key writes and all read, so that a key can be replaced (AS-150, AS-154)', () => {
  const [old, fresh] = [random(32), random(32)];
  const before = createSecrets([old], random);
  const during = createSecrets([fresh, old], random);
  const after = createSecrets([fresh], random);
  const sealed = before.seal('secrets-at-rest', row, Buffer.from('s'));
  assert.equal(Buffer.from(during.open('secrets-at-rest', row, sealed)).toString(), 's');
  assert.throws(() => after.open('secrets-at-rest', row, sealed), SecretUnreadable);
  assert.equal(
    Buffer.from(
      after.open('secrets-at-rest', row, during.seal('secrets-at-rest', row, Buffer.from('n'))),
    ).toString(),
    'n',
  );
  assert.equal(during.macs('csrf', 'x').length, 2);
  assert.deepEqual(
    during.mac('refresh-ratchet', 'x', before.keyId),
    before.mac('refresh-ratchet', 'x'),
  );
});

test('what is derived for one use differs for every other (AS-150)', () => {
  const secrets = createSecrets([random(32)], random);
  const uses = [
    'keys-at-rest',
    'secrets-at-rest',
    'mail-at-rest',
    'pending-code',
    'sign-in-codes',
    'refresh-ratchet',
    'cookies',
    'csrf',
    'addresses',
  ] as const;
  assert.equal(
    new Set(uses.map((use) => Buffer.from(secrets.mac(use, 'x')).toString('hex'))).size,
    uses.length,
  );
});
