import { OAuthError } from './oauth-error.ts';

/** Scopes of the authorization server itself (AS-47): in its metadata, never in a resource's. */
export const OPENID_SCOPES = ['openid', 'profile', 'email', 'offline_access'] as const;

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const MOST_SCOPES = 200;
const LONGEST_SCOPE = 4096;

/**
 * The scope values of a parameter (RFC 6749 section 3.3), each once, in the order given; absent or empty gives none.
 *
 * @throws {OAuthError} invalid_scope: characters that a scope value cannot have, or far too much
 */
export function parseScope(text: string | undefined): string[] {
  if (text === undefined) return [];
  if (text.length > LONGEST_SCOPE)
    throw new OAuthError('invalid_scope', `scope is longer than ${LONGEST_SCOPE} characters`);
  const values = text.split(' ').filter((value) => value !== '');
  if (values.length > MOST_SCOPES)
    throw new OAuthError('invalid_scope', `scope has more than ${MOST_SCOPES} values`);
  for (const value of values) {
    if (!SCOPE_TOKEN.test(value))
      throw new OAuthError('invalid_scope', 'scope has characters that a scope value cannot have');
  }
  return [...new Set(values)];
}

/** Space-separated, as it goes on the wire. */
export function formatScope(scopes: readonly string[]): string {
  return scopes.join(' ');
}

export function isOpenIdScope(scope: string): boolean {
  return (OPENID_SCOPES as readonly string[]).includes(scope);
}
