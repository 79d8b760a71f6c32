import { type Fault, MCP } from './fault.ts';

/** Faults of the step `login`, which needs a person. */
export const loginFaults = {
  'login-failed': {
    title: 'The authorization did not lead to a token that works',
    severity: 'error',
    step: 'login',
    rule: {
      source: MCP,
      section: 'Authorization Flow Steps',
      says: 'Registration, authorization with PKCE and resource, exchange, and a request with the token follow one another.',
    },
    fix: 'See the message for the leg that failed and what was answered; the log of the authorization server has the reason.',
  },
  'token-wrong-audience-accepted': {
    title: 'A token for another resource is accepted',
    severity: 'error',
    step: 'login',
    rule: {
      source: MCP,
      section: 'Access Token Privilege Restriction',
      says: 'A server accepts only tokens whose audience is the server itself.',
    },
    fix: 'Give the verifier the audience it must find in aud, compared exactly.',
  },
  'scope-ignored': {
    title: 'A tool can be called without its scope',
    severity: 'error',
    step: 'login',
    rule: {
      source: 'RFC 6750',
      section: '§3.1',
      says: 'A request that needs more than the token grants is refused with 403 and insufficient_scope.',
    },
    fix: 'Check the scopes of the token before the tool runs.',
  },
  'insufficient-scope-without-challenge': {
    title: 'The refusal for want of a scope has no usable challenge',
    severity: 'warning',
    step: 'login',
    rule: {
      source: MCP,
      section: 'Scope Challenge Handling',
      says: '403 comes with WWW-Authenticate: error="insufficient_scope", the needed scope and resource_metadata.',
    },
    fix: 'Add WWW-Authenticate: Bearer error="insufficient_scope", scope="…", resource_metadata="…" to the 403.',
  },
  'query-token-accepted': {
    title: 'A token in the address is accepted',
    severity: 'error',
    step: 'login',
    rule: {
      source: MCP,
      section: 'Token Requirements',
      says: 'Tokens never stand in the query string, where logs and histories keep them.',
    },
    fix: 'Read the token from the Authorization header alone.',
  },
  'iss-parameter-wrong': {
    title: 'iss in the authorization response is missing or wrong',
    severity: 'error',
    step: 'login',
    rule: {
      source: 'RFC 9207',
      section: '§2.4',
      says: 'iss equals the issuer of the metadata; a client ends the flow when it does not, or when it was promised and is absent.',
    },
    fix: 'Send iss with exactly the issuer of the metadata on every path that redirects to the client.',
  },
  'refresh-not-rotated': {
    title: 'A public client keeps one refresh token for ever',
    severity: 'warning',
    step: 'login',
    rule: {
      source: 'RFC 9700',
      section: '§4.14.2',
      says: 'Refresh tokens of public clients are bound to the client or replaced at each use.',
    },
    fix: 'Issue a new refresh token with each refresh of a public client and retire the old one.',
  },
  'replayed-code-accepted': {
    title: 'An authorization code can be used twice',
    severity: 'error',
    step: 'login',
    rule: {
      source: 'RFC 6749',
      section: '§4.1.2',
      says: 'A code is used once; a second use is refused and should revoke what was issued.',
    },
    fix: 'Redeem codes in one atomic statement that only the first request wins.',
  },
} as const satisfies Record<string, Fault>;
