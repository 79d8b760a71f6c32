import { decodeJwt } from 'jose';
import { ScalekitValidateTokenFailureException } from './errors.ts';

/**
 * Whether the claims of a token name all these scopes. Nothing of the token is verified.
 *
 * @throws {ScalekitValidateTokenFailureException} insufficient_scope, malformed
 */
export function checkScopes(token: string, requiredScopes: readonly string[]): true {
  const granted = scopesOf(token);
  const missing = requiredScopes.filter((scope) => !granted.includes(scope));
  if (missing.length === 0) return true;
  throw new ScalekitValidateTokenFailureException(
    'insufficient_scope',
    `Token missing required scopes: ${missing.join(', ')}`,
  );
}

function scopesOf(token: string): readonly unknown[] {
  let claims: Record<string, unknown>;
  try {
    claims = decodeJwt(token);
  } catch {
    throw new ScalekitValidateTokenFailureException('malformed', 'The token is malformed');
  }
  const { scopes, scope } = claims;
  if (Array.isArray(scopes)) return scopes;
  return typeof scope === 'string' ? scope.split(' ') : [];
}
