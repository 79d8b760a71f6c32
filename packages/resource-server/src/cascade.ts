import type { McpAuth } from './auth.ts';
import { canonicalAudience } from './trust.ts';
import { isSecureOrLoopback } from './urls.ts';

export type CascadeErrorCode =
  /** The token was not issued for the target. */
  | 'audience_missing'
  /** The address is not the target's, or neither https nor this machine. */
  | 'wrong_address'
  /** The token belongs to a key of the client (RFC 9449), which we do not have. */
  | 'bound_token';

/** A token that must not be handed on. `code` is stable. */
export class CascadeError extends Error {
  readonly code: CascadeErrorCode;

  constructor(code: CascadeErrorCode, message: string) {
    super(message);
    this.name = 'CascadeError';
    this.code = code;
  }
}

export type CascadeTarget = {
  /** What the token must have in `aud`: the identifier of the server behind this one. */
  readonly audience: string;
  /** Where the token will be sent. Where the audience is a URL, at or below it. */
  readonly url: string | URL;
};

/**
 * The header with which a call goes on to a server behind this one in the name of the caller. MCP forbids to
 * pass on a token that was issued for this server only; this one must have been issued for the target too
 * (RS-27). Nothing else in this package sends a token to anybody but its own authorization server, for
 * introspection. Do not let redirects be followed with it.
 *
 * @throws {CascadeError} audience_missing, wrong_address, bound_token
 */
export function cascadeHeaders(
  auth: McpAuth,
  target: CascadeTarget,
): { readonly authorization: string } {
  const { claims } = auth.extra;
  const named: readonly unknown[] = Array.isArray(claims['aud']) ? claims['aud'] : [claims['aud']];
  const wanted = canonicalAudience(target.audience);
  const issuedFor = named.some(
    (name) => typeof name === 'string' && canonicalAudience(name) === wanted,
  );
  if (target.audience === '' || !issuedFor)
    throw new CascadeError('audience_missing', 'the token was not issued for this target');
  if (claims['cnf'] !== undefined)
    throw new CascadeError('bound_token', 'a token bound to a key cannot be handed on');
  if (!isAddressOf(target))
    throw new CascadeError('wrong_address', 'the address is not one of this target');
  return { authorization: `Bearer ${auth.token}` };
}

function isAddressOf({ audience, url }: CascadeTarget): boolean {
  if (!URL.canParse(String(url))) return false;
  const address = new URL(url);
  if (!isSecureOrLoopback(address) || address.username !== '' || address.password !== '')
    return false;
  if (!/^https?:/i.test(audience) || !URL.canParse(audience)) return true;
  const named = new URL(audience);
  const below = `${named.pathname.replace(/\/$/, '')}/`;
  return (
    address.origin === named.origin &&
    (address.pathname === named.pathname || address.pathname.startsWith(below))
  );
}
