import type { ClientJwks } from './client.ts';

const MOST_KEYS = 50;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** Numbers of each kind of key, as base64url. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['x', 'y'],
  OKP: ['x'],
};
/** What else a key may say about itself. */
const LABELS = ['kid', 'use', 'alg', 'crv', 'x5t', 'x5t#S256'];
const LONGEST_LABEL = 256;
/** RSA moduli in bytes: shorter ones prove nothing, longer ones only cost time. */
const RSA_BYTES = { least: 256, most: 1024 };
/** A long public exponent makes checking a signature as slow as making one. */
const LONGEST_EXPONENT = 4;
const LONGEST_COORDINATE = 66;

export type JwksCheck =
  | { readonly kind: 'valid'; readonly jwks: ClientJwks }
  | { readonly kind: 'invalid'; readonly problem: string };

/**
 * Reads a JSON Web Key Set that a stranger published (RFC 7517 section 5). A private or symmetric key in it is refused: it is
 * not a key any more. Entries that are no keys we know of are left out, as the RFC asks, and so are members that no check looks
 * at: what is kept is flat text.
 */
export function jwksProblem(value: unknown): JwksCheck {
  const invalid = (problem: string): JwksCheck => ({ kind: 'invalid', problem });
  if (!isObject(value) || !Array.isArray(value['keys']))
    return invalid('it is not an object with a list of keys');
  const entries: unknown[] = value['keys'];
  if (entries.length > MOST_KEYS) return invalid(`it has more than ${MOST_KEYS} keys`);
  const keys = entries.filter(isObject);
  if (keys.some((key) => PRIVATE_MEMBERS.some((member) => Object.hasOwn(key, member))))
    return invalid('it holds a private or symmetric key');
  const usable = keys.map(publicKeyFrom).filter((key) => key !== undefined);
  return usable.length === 0
    ? invalid('it holds no usable RSA, EC or OKP key (RSA: 2048 to 8192 bits)')
    : { kind: 'valid', jwks: { keys: usable } };
}

type PublicKey = Readonly<Record<string, unknown>>;

function publicKeyFrom(key: PublicKey): PublicKey | undefined {
  const kty = key['kty'];
  const names = typeof kty === 'string' && Object.hasOwn(NUMBERS, kty) ? NUMBERS[kty] : undefined;
  if (!names?.every((name) => isNumber(key[name]))) return undefined;
  if (
    kty === 'RSA'
      ? !isRsaOfSize(key)
      : !names.every((name) => bytesOf(key[name]) <= LONGEST_COORDINATE)
  )
    return undefined;
  const labels = LABELS.filter((name) => key[name] !== undefined);
  if (!labels.every((name) => isLabel(key[name]))) return undefined;
  const operations = key['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.every(isLabel)))
    return undefined;
  const kept = ['kty', ...names, ...labels, ...(operations === undefined ? [] : ['key_ops'])];
  return Object.fromEntries(kept.map((name) => [name, key[name]]));
}

function isRsaOfSize(key: PublicKey): boolean {
  const size = bytesOf(key['n']);
  return size >= RSA_BYTES.least && size <= RSA_BYTES.most && bytesOf(key['e']) <= LONGEST_EXPONENT;
}

/** Bytes of a number without leading zeros. */
function bytesOf(text: unknown): number {
  const bytes = Buffer.from(String(text), 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : bytes.length - first;
}

function isNumber(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value);
}

function isLabel(value: unknown): boolean {
  return typeof value === 'string' && value.length <= LONGEST_LABEL && /^[\x20-\x7e]*$/.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
