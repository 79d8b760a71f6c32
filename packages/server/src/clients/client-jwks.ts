import type { ClientJwks } from './client.ts';

const MOST_KEYS = 50;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const KEY_TYPES = ['RSA', 'EC', 'OKP'];

export type JwksCheck =
  | { readonly kind: 'valid'; readonly jwks: ClientJwks }
  | { readonly kind: 'invalid'; readonly problem: string };

/**
 * Reads a JSON Web Key Set that a stranger published (RFC 7517 section 5). A private or symmetric key in it is refused: it is
 * not a key any more. Entries that are no keys we know of are left out, as the RFC asks.
 */
export function jwksProblem(value: unknown): JwksCheck {
  const invalid = (problem: string): JwksCheck => ({ kind: 'invalid', problem });
  if (!isObject(value) || !Array.isArray(value['keys']))
    return invalid('it is not an object with a list of keys');
  const entries: unknown[] = value['keys'];
  if (entries.length > MOST_KEYS) return invalid(`it has more than ${MOST_KEYS} keys`);
  const keys = entries.filter(isObject);
  if (keys.some((key) => PRIVATE_MEMBERS.some((member) => member in key)))
    return invalid('it holds a private or symmetric key');
  const usable = keys.filter(
    (key) => typeof key['kty'] === 'string' && KEY_TYPES.includes(key['kty']),
  );
  return usable.length === 0
    ? invalid('it holds no RSA, EC or OKP key')
    : { kind: 'valid', jwks: { keys: usable } };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
