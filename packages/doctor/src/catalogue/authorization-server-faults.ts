import { type Fault, MCP } from './fault.ts';

/** Faults of the step `authorization-server`. */
export const authorizationServerFaults = {
  'as-unreachable': {
    title: 'The authorization server does not answer',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: MCP,
      section: 'Authorization Server Metadata Discovery',
      says: 'Clients fetch the metadata of the named authorization server.',
    },
    fix: 'Check name, certificate and firewall of the address in authorization_servers from outside of your network.',
  },
  'as-metadata-missing': {
    title: 'The authorization server has no metadata',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 8414',
      section: '§3',
      says: 'Metadata is at /.well-known/oauth-authorization-server, between host and path of the issuer, or at the OpenID Connect address.',
    },
    fix: 'Serve the document at one of the addresses in the evidence, or name the issuer that has one in authorization_servers.',
  },
  'as-metadata-not-json': {
    title: 'The metadata of the authorization server is not JSON',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 8414',
      section: '§3.2',
      says: 'A successful answer is a JSON object of the type application/json; any other answer has a status that says so.',
    },
    fix: 'Send a JSON object with Content-Type: application/json, and 404 at well-known addresses that do not exist instead of a page.',
  },
  'as-issuer-mismatch': {
    title: 'The issuer in the metadata is not the one that was asked',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 8414',
      section: '§3.3',
      says: 'issuer equals the identifier from which the address was made; otherwise the document must not be used.',
    },
    fix: 'Make the entry in authorization_servers and the issuer in the metadata the same string, slash at the end included.',
  },
  'as-endpoint-missing': {
    title: 'The metadata lacks an endpoint',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 8414',
      section: '§2',
      says: 'authorization_endpoint and token_endpoint are required for the code flow.',
    },
    fix: 'Add the missing member with an absolute https address.',
  },
  'as-endpoint-insecure': {
    title: 'An endpoint of the authorization server has an http address',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: MCP,
      section: 'Communication Security',
      says: 'All endpoints of an authorization server are served over https.',
    },
    fix: 'Set the public https address in the configuration of the authorization server; behind a proxy it often builds addresses from the inner request.',
  },
  'as-pkce-missing': {
    title: 'The metadata does not say that PKCE is supported',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: MCP,
      section: 'Authorization Code Protection',
      says: 'A client refuses to go on where code_challenge_methods_supported is absent.',
    },
    fix: 'Add "code_challenge_methods_supported": ["S256"], in the OpenID Connect form too.',
  },
  'as-pkce-plain-only': {
    title: 'PKCE is offered without S256',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: MCP,
      section: 'Authorization Code Protection',
      says: 'Clients use S256; plain protects against nobody who sees the request.',
    },
    fix: 'Support S256, list it, and stop listing plain.',
  },
  'as-code-flow-missing': {
    title: 'The authorization code flow is not offered',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 8414',
      section: '§2',
      says: 'response_types_supported is required; MCP clients need code, and the grant authorization_code.',
    },
    fix: 'List "code" in response_types_supported and "authorization_code" in grant_types_supported.',
  },
  'as-implicit-flow': {
    title: 'The implicit or password grant is offered',
    severity: 'warning',
    step: 'authorization-server',
    rule: {
      source: 'RFC 9700',
      section: '§2.1.2, §2.4',
      says: 'The implicit grant should not be used and the password grant must not be.',
    },
    fix: 'Switch these grants off, and remove "token" from response_types_supported and "implicit" and "password" from grant_types_supported.',
  },
  'as-iss-parameter-missing': {
    title: 'Authorization responses do not promise iss',
    severity: 'warning',
    step: 'authorization-server',
    rule: {
      source: 'RFC 9207',
      section: '§2, §3',
      says: 'A server that names itself in authorization responses says so in its metadata; it protects clients of several servers.',
    },
    fix: 'Add iss to each authorization response, errors included, then set "authorization_response_iss_parameter_supported": true.',
  },
  'as-refresh-missing': {
    title: 'Refresh tokens are not offered',
    severity: 'warning',
    step: 'authorization-server',
    rule: {
      source: 'OAuth 2.1',
      section: '§4.3',
      says: 'With refresh tokens access tokens can be short-lived without people having to sign in again.',
    },
    fix: 'Add "refresh_token" to grant_types_supported and issue refresh tokens to clients that registered the grant.',
  },
  'as-token-error-not-oauth': {
    title: 'The token endpoint does not answer errors as OAuth does',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 6749',
      section: '§5.2',
      says: 'Errors are JSON with the member error, with status 400 or 401.',
    },
    fix: 'Answer an unknown client with 401 and {"error":"invalid_client"}, as application/json. Pages of a proxy or framework in this place end the flow in the client.',
  },
  'as-open-redirect': {
    title: 'The authorization endpoint redirects to an unregistered address',
    severity: 'error',
    step: 'authorization-server',
    rule: {
      source: 'RFC 9700',
      section: '§4.11',
      says: 'An unknown client or redirect URI is answered with a page and never with a redirect.',
    },
    fix: 'Check client_id and redirect_uri before everything else, and show an error page when either is unknown.',
  },
  'as-public-clients-refused': {
    title: 'Clients without a secret are not accepted',
    severity: 'warning',
    step: 'authorization-server',
    rule: {
      source: 'RFC 7591',
      section: '§2',
      says: 'Public clients use the method none; most MCP clients are public.',
    },
    fix: 'Add "none" to token_endpoint_auth_methods_supported and accept public clients with PKCE.',
  },
  'as-scopes-differ': {
    title: 'The authorization server does not list the scopes of the resource',
    severity: 'warning',
    step: 'authorization-server',
    rule: {
      source: 'RFC 9728',
      section: '§2',
      says: 'scopes_supported of the resource are scopes that its authorization server can grant.',
    },
    fix: 'Create the scopes at the authorization server and list them in its scopes_supported, or correct the names in the metadata of the resource.',
  },
} as const satisfies Record<string, Fault>;
