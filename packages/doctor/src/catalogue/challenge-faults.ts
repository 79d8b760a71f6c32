import { type Fault, MCP } from './fault.ts';

/** Faults of the step `challenge`: what the endpoint says to callers without a token. */
export const challengeFaults = {
  'open-endpoint': {
    title: 'MCP requests are answered without a token',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Access Token Usage',
      says: 'A protected server checks a token with every request; one that needs authorization answers 401 without it.',
    },
    fix: 'Put the check of the token before the MCP transport, for every method of the path, and start without a way around it.',
  },
  'unprotected-get': {
    title: 'GET is answered without a token',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Token Requirements',
      says: 'Authorization belongs to every HTTP request of a session, the event stream included.',
    },
    fix: 'Register the check for all methods of the path (for example app.use instead of app.post), or answer GET with 405 when there is no stream.',
  },
  'unprotected-delete': {
    title: 'DELETE is answered without a token',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Token Requirements',
      says: 'Ending a session is a request like any other and needs a token; a session id is not a credential.',
    },
    fix: 'Register the check for all methods of the path, or answer DELETE with 405 when there are no sessions.',
  },
  'challenge-missing': {
    title: 'The refusal carries no WWW-Authenticate header',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§3',
      says: 'A resource that refuses a request for want of a token says how to get in, in WWW-Authenticate.',
    },
    fix: 'Answer 401 with WWW-Authenticate: Bearer resource_metadata="https://HOST/.well-known/oauth-protected-resource/PATH". Check that no proxy removes the header.',
  },
  'challenge-not-bearer': {
    title: 'The challenge names another scheme than Bearer',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§3',
      says: 'The challenge of an OAuth resource begins with the scheme Bearer.',
    },
    fix: 'Send WWW-Authenticate: Bearer … as the challenge. Look for a proxy that asks for Basic before the request reaches the server.',
  },
  'challenge-malformed': {
    title: 'The challenge cannot be parsed',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 9110',
      section: '§11.6.1',
      says: 'Parameters of a challenge are name="value" pairs with commas between them; an address has to stand in quotes.',
    },
    fix: 'Write Bearer resource_metadata="https://…", scope="a b": quotes around each value, commas between pairs, each name once, no line breaks.',
  },
  'resource-metadata-missing': {
    title: 'The challenge does not say where the metadata is',
    severity: 'warning',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Protected Resource Metadata Discovery Requirements',
      says: 'Clients take the address from resource_metadata of the challenge and guess it otherwise; revision 2025-06-18 requires it there (RFC 9728 §5.1).',
    },
    fix: 'Add resource_metadata="https://HOST/.well-known/oauth-protected-resource/PATH" to the challenge; without it some clients never find the authorization server.',
  },
  'resource-metadata-relative': {
    title: 'resource_metadata is not an absolute address',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 9728',
      section: '§5.1',
      says: 'The parameter holds the URL of the metadata; clients drop a value that does not parse as one.',
    },
    fix: 'Write the whole address with scheme and host, from configuration: https://HOST/.well-known/oauth-protected-resource/PATH.',
  },
  'resource-metadata-elsewhere': {
    title: 'resource_metadata points to another server',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 9728',
      section: '§3.3',
      says: 'Metadata counts only if it is about the resource that was asked for.',
    },
    fix: 'Set the public address of the server in its configuration; a value such as http://localhost:3000 is left over from development.',
  },
  'error-without-token': {
    title: 'The challenge names an error although no token was sent',
    severity: 'warning',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§3.1',
      says: 'A request without authentication information gets a challenge without error code.',
    },
    fix: 'Leave error and error_description out when there was no Authorization header; clients otherwise throw away tokens that are good.',
  },
  'unauthorized-as-403': {
    title: 'A missing token is answered with 403',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Error Handling',
      says: '401 means that authorization is needed; 403 means that a valid token allows too little.',
    },
    fix: 'Answer 401 with a challenge when no token was sent. If a firewall or bot protection answers here, let MCP clients pass it.',
  },
  'unauthorized-as-200': {
    title: 'A missing token is answered with 200 and an error in the body',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: MCP,
      section: 'Error Handling',
      says: 'Want of authorization is said with the HTTP status 401; clients do not look for it in JSON-RPC or tool results.',
    },
    fix: 'Check the token before the JSON-RPC layer and answer 401 with a challenge there.',
  },
  'invalid-token-as-403': {
    title: 'A bad token is not answered with 401',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§3.1',
      says: 'invalid_token goes with 401, so that the client gets a new token; 403 goes with insufficient_scope.',
    },
    fix: 'Answer expired, unknown and malformed tokens with 401 and error="invalid_token".',
  },
  'invalid-token-without-error': {
    title: 'The refusal of a bad token does not say invalid_token',
    severity: 'warning',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§3.1',
      says: 'When a token was sent and is not valid, the challenge says error="invalid_token".',
    },
    fix: 'Add error="invalid_token" to the challenge when a token was sent; clients refresh on it.',
  },
  'token-echoed': {
    title: 'The answer repeats the token',
    severity: 'error',
    step: 'challenge',
    rule: {
      source: 'RFC 6750',
      section: '§5.3',
      says: 'Tokens are kept from logs and pages; an answer that repeats one puts it there.',
    },
    fix: 'Describe the refusal in fixed words (error_description="The access token is not valid") and never with the token or parts of it.',
  },
} as const satisfies Record<string, Fault>;
