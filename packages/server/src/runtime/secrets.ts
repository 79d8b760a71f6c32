import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';

/** One label for each use of the operator key: what is made for one use cannot serve another (AS-150). */
export type SecretUse =
  | 'keys-at-rest'
  | 'secrets-at-rest'
  | 'mail-at-rest'
  | 'pending-code'
  | 'sign-in-codes'
  | 'refresh-ratchet'
  | 'cookies'
  | 'csrf'
  | 'support-hash'
  | 'addresses';

/** The row a ciphertext belongs to. It is authenticated, so that rows cannot be swapped. */
export type SecretRow = {
  readonly table: string;
  readonly environmentId: string;
  readonly id: string;
};

export type Secrets = {
  /** Id of the operator key that writes: eight bytes of its digest, in hex. Not a secret. */
  readonly keyId: string;
  /** Encrypts for one row (AES-256-GCM). */
  seal(use: SecretUse, row: SecretRow, plaintext: Uint8Array): Uint8Array;
  /** @throws {SecretUnreadable} written with a key that is not configured, for another row, or changed since */
  open(use: SecretUse, row: SecretRow, sealed: Uint8Array): Uint8Array;
  /** HMAC-SHA-256 with the key derived for this use; of the writing operator key, or the one named by `keyId`. */
  mac(use: SecretUse, data: string | Uint8Array, keyId?: string): Uint8Array;
  /** The same under every configured operator key, the writing one first: for checking what an older key made. */
  macs(use: SecretUse, data: string | Uint8Array): Uint8Array[];
};

/** A secret at rest that no configured operator key can read. */
export class SecretUnreadable extends Error {
  constructor(row: SecretRow) {
    super(
      `a secret in ${row.table} (${row.id}) cannot be read with the configured GATEWARDEN_SECRET_KEY`,
    );
    this.name = 'SecretUnreadable';
  }
}

const VERSION = 1;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

/**
 * Secrets at rest and derived keys from the operator's keys.
 *
 * @param operatorKeys 32 bytes each; the first writes, all read
 */
export function createSecrets(
  operatorKeys: readonly Uint8Array[],
  random: (bytes: number) => Uint8Array,
): Secrets {
  const rings = operatorKeys.map((key) => ({ id: keyIdOf(key), derive: derivation(key) }));
  const writer = rings[0];
  if (!writer) throw new Error('at least one operator key is needed');
  const ring = (id: string) => rings.find((candidate) => candidate.id === id);
  return {
    keyId: writer.id,
    seal(use, row, plaintext) {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', writer.derive(use), nonce);
      cipher.setAAD(additionalData(row));
      return Buffer.concat([
        Buffer.from([VERSION]),
        Buffer.from(writer.id, 'hex'),
        nonce,
        cipher.update(plaintext),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
    },
    open(use, row, sealed) {
      const bytes = Buffer.from(sealed);
      const key =
        bytes.length >= HEADER_BYTES + TAG_BYTES && bytes[0] === VERSION
          ? ring(bytes.toString('hex', 1, 1 + KEY_ID_BYTES))
          : undefined;
      if (!key) throw new SecretUnreadable(row);
      const decipher = createDecipheriv(
        'aes-256-gcm',
        key.derive(use),
        bytes.subarray(1 + KEY_ID_BYTES, HEADER_BYTES),
        { authTagLength: TAG_BYTES },
      );
      decipher.setAAD(additionalData(row));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        return Buffer.concat([
          decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES)),
          decipher.final(),
        ]);
      } catch {
        throw new SecretUnreadable(row);
      }
    },
    mac(use, data, keyId) {
      const key = keyId === undefined ? writer : ring(keyId);
      if (!key)
        throw new SecretUnreadable({ table: 'operator key', environmentId: '', id: keyId ?? '' });
      return createHmac('sha256', key.derive(use)).update(data).digest();
    },
    macs(use, data) {
      return rings.map((key) => createHmac('sha256', key.derive(use)).update(data).digest());
    },
  };
}

function keyIdOf(key: Uint8Array): string {
  return createHash('sha256')
    .update('gatewarden operator key id')
    .update(key)
    .digest('hex')
    .slice(0, KEY_ID_BYTES * 2);
}

/** HKDF-SHA-256 (RFC 5869), once for each use. */
function derivation(key: Uint8Array): (use: SecretUse) => Uint8Array {
  const derived = new Map<SecretUse, Uint8Array>();
  return (use) => {
    const known = derived.get(use);
    if (known) return known;
    const made = new Uint8Array(hkdfSync('sha256', key, 'gatewarden', `gatewarden ${use} v1`, 32));
    derived.set(use, made);
    return made;
  };
}

function additionalData(row: SecretRow): Uint8Array {
  return Buffer.from(JSON.stringify([row.table, row.environmentId, row.id]));
}
