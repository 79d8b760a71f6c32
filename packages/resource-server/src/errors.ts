export type ConfigurationErrorCode =
  | 'invalid_url'
  | 'invalid_resource_id'
  | 'invalid_option'
  | 'missing_issuer'
  | 'missing_audience'
  | 'duplicate_issuer'
  | 'duplicate_path'
  | 'unknown_scope'
  | 'invalid_metadata'
  | 'invalid_tool_map'
  | 'undeclared_tool';

/**
 * A declaration that cannot protect anything. Thrown once, while the process starts, so that a
 * mistake is never found by a request. `code` is stable; the message names the option.
 */
export class ConfigurationError extends Error {
  readonly code: ConfigurationErrorCode;

  constructor(code: ConfigurationErrorCode, message: string) {
    super(message);
    this.name = 'ConfigurationError';
    this.code = code;
  }
}

/** Why a token was refused. Stable: the log and tests rely on these codes. */
export type RefusalReason =
  | 'too_large'
  | 'malformed'
  | 'critical_header'
  | 'type'
  | 'algorithm'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_yet_valid'
  | 'issued_in_future'
  | 'missing_claim'
  | 'scope_mismatch'
  | 'unknown_key'
  | 'signature'
  | 'sender_constrained'
  | 'not_bound'
  | 'revoked';

const descriptions: Readonly<Record<RefusalReason, string>> = {
  too_large: 'The access token is too large',
  malformed: 'The access token is malformed',
  critical_header: 'The access token uses an extension this server does not know',
  type: 'This kind of token is not an access token',
  algorithm: 'The access token is signed with an algorithm this server does not accept',
  issuer: 'The access token was issued by another authorization server',
  audience: 'The access token was issued for another server',
  expired: 'The access token has expired',
  not_yet_valid: 'The access token is not valid yet',
  issued_in_future: 'The access token was issued in the future',
  missing_claim: 'The access token lacks a required claim',
  scope_mismatch: 'The scope claims of the access token disagree',
  unknown_key: 'The access token is signed with an unknown key',
  signature: 'The signature of the access token is not valid',
  sender_constrained: 'The access token is bound to a key and came without proof of it',
  not_bound: 'The access token is not bound to a key, which is needed here',
  revoked: 'The access token was revoked',
};

/** The sentence a client gets for a refused token. Fixed texts only, so that no token content is echoed (RS-12). */
export function describeRefusal(reason: RefusalReason): string {
  return descriptions[reason];
}
