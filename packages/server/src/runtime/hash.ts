import { createHash, timingSafeEqual } from 'node:crypto';

/** SHA-256. Right for values of at least 128 bits of chance; sign-in codes take `Secrets.mac`, passwords a slow hash. */
export function sha256(value: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(value).digest());
}

/** Compares two byte strings in a time that depends only on their lengths. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Compares two secrets given as text, by their digests, so that not even the length shows. */
export function equalSecrets(a: string, b: string): boolean {
  return equalBytes(sha256(a), sha256(b));
}
