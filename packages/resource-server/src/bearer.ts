import type { GuardRequest } from './request.ts';

export type TakenToken =
  | { readonly kind: 'token'; readonly token: string; readonly scheme: 'bearer' | 'dpop' }
  | { readonly kind: 'none' }
  /** Sent in a way that leaves open which token is meant (RFC 6750 §3.1). */
  | { readonly kind: 'malformed' };

/**
 * Takes the token from the Authorization header and from nowhere else (RS-8 to RS-10, RFC 6750 §2.1). A
 * token in the query is never used: it would end up in logs and histories. Where DPoP is off, its scheme
 * is as good as no token: the caller is told to use Bearer.
 */
export function takeToken(
  request: GuardRequest,
  dpop: 'off' | 'taken',
): TakenToken & { readonly inQuery: boolean } {
  const inQuery = hasQueryToken(request.target);
  const values = request.header('authorization');
  const [value] = values;
  if (value === undefined) return { kind: 'none', inQuery };
  if (values.length > 1 || inQuery) return { kind: 'malformed', inQuery };
  const [given] = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+/.exec(value) ?? [];
  if (given === undefined) return { kind: 'malformed', inQuery };
  const scheme = schemes.find((name) => name === given.toLowerCase());
  if (scheme === undefined || (scheme === 'dpop' && dpop === 'off'))
    return { kind: 'none', inQuery };
  const token = tokenAfter(value, given.length);
  return token === undefined
    ? { kind: 'malformed', inQuery }
    : { kind: 'token', token, scheme, inQuery };
}

/**
 * What stands behind one or more spaces, if it has b64token syntax (RFC 6750 §2.1). One expression for all
 * of it would remember each character to come back to, and takes three times as long.
 */
function tokenAfter(value: string, end: number): string | undefined {
  let start = end;
  while (value[start] === ' ') start += 1;
  let padding = value.length;
  while (padding > start && value[padding - 1] === '=') padding -= 1;
  const unpadded = value.slice(start, padding);
  if (start === end || unpadded === '' || /[^A-Za-z0-9._~+/-]/.test(unpadded)) return undefined;
  return padding === value.length ? unpadded : value.slice(start);
}

const schemes = ['bearer', 'dpop'] as const;

function hasQueryToken(target: string): boolean {
  const start = target.indexOf('?');
  return start >= 0 && hasFormToken(target.slice(start + 1));
}

/** Whether form-encoded text has a member `access_token` (RFC 6750 §2.2, §2.3). */
export function hasFormToken(form: string): boolean {
  return new URLSearchParams(form).has('access_token');
}
