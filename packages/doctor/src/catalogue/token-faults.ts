import { type Fault, MCP } from './fault.ts';

/** Faults of the step `challenge` that let a false token in or fall over one. */
export const tokenFaults = {
  'invalid-token-accepted': {
    title: 'Any text is accepted as a token',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Token Handling',
      says: 'A server validates each access token; an unknown one is refused with 401.',
    },
    fix: 'Verify the token: signature by a key of the issuer, iss, aud, exp; or ask the introspection endpoint. Presence of a header proves nothing.',
  },
  'forged-token-accepted': {
    title: 'A token signed by a stranger is accepted',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 9068',
      section: '§4',
      says: 'The signature is verified with a key that the issuer publishes.',
    },
    fix: 'Verify the signature with the keys of the issuer (jwks_uri) instead of only decoding the token, and never take a key from the token itself.',
  },
  'unsigned-token-accepted': {
    title: 'A token without signature (alg none) is accepted',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 8725',
      section: '§3.1, §3.2',
      says: 'Only algorithms on a list of the verifier are accepted; none is not on it.',
    },
    fix: 'Give the verifier the list of algorithms it may accept, for example algorithms: ["RS256"].',
  },
  'hmac-token-accepted': {
    title: 'A token signed with the public key as a shared secret is accepted',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 8725',
      section: '§2.1, §3.1',
      says: 'A key is used only with its own algorithm; HS256 with a public key lets everybody sign.',
    },
    fix: 'Give the verifier the list of algorithms it may accept, without any HS algorithm, and take the key type from the key set.',
  },
  'authorization-crash': {
    title: 'An odd Authorization header makes the server fail',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§3.1',
      says: 'A malformed header or token is answered with 400 or 401.',
    },
    fix: 'Catch every error of parsing and verifying and answer 401 with error="invalid_token"; 5xx makes clients retry for ever.',
  },
  'scheme-case-sensitive': {
    title: 'Only the spelling "Bearer" is understood',
    severity: 'warning',
    step: 'challenge',
    rule: {
      source: 'RFC 9110',
      section: '§11.1',
      says: 'Authentication schemes are compared without regard to case.',
    },
    fix: 'Compare the scheme case-insensitively, for example /^bearer +/i.',
  },
  'well-known-bypass': {
    title: 'A path that contains .well-known needs no token',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Token Requirements',
      says: 'Only the metadata documents themselves are public; everything that reaches MCP needs a token.',
    },
    fix: 'Compare the exact paths of the metadata documents instead of asking whether the path contains or begins with .well-known.',
  },
} as const satisfies Record<string, Fault>;
