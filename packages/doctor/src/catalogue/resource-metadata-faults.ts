import { type Fault, MCP } from './fault.ts';

/** Faults of the step `resource-metadata` (RFC 9728). */
export const resourceMetadataFaults = {
  'prm-missing': {
    title: 'There is no protected resource metadata',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: MCP,
      section: 'Authorization Server Location',
      says: 'An MCP server publishes protected resource metadata that names its authorization servers.',
    },
    fix: 'Serve JSON with resource and authorization_servers at /.well-known/oauth-protected-resource followed by the path of the endpoint, and at the form without path.',
  },
  'prm-path-form-missing': {
    title: 'The metadata is missing at the address with the path of the endpoint',
    severity: 'warning',
    step: 'resource-metadata',
    rule: {
      source: 'RFC 9728',
      section: '§3.1',
      says: 'For a resource with a path the well-known part stands between host and path.',
    },
    fix: 'Serve the same document at /.well-known/oauth-protected-resource followed by the path of the endpoint; clients that ignore the challenge look there first.',
  },
  'prm-not-json': {
    title: 'The protected resource metadata is not JSON',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: 'RFC 9728',
      section: '§3.2',
      says: 'The document is a JSON object with the media type application/json.',
    },
    fix: 'Send a JSON object with Content-Type: application/json. A web application that answers every unknown path with its start page has to leave /.well-known alone.',
  },
  'prm-needs-token': {
    title: 'The protected resource metadata itself asks for a token',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: 'RFC 9728',
      section: '§3',
      says: 'The document is read before there is a token, so it is public.',
    },
    fix: 'Leave the exact paths of the metadata out of the check of the token.',
  },
  'prm-resource-missing': {
    title: 'The metadata has no resource',
    severity: 'error',
    step: 'resource-metadata',
    rule: { source: 'RFC 9728', section: '§2', says: 'resource is required.' },
    fix: 'Add "resource" with the address of the MCP endpoint as clients type it.',
  },
  'prm-resource-mismatch': {
    title: 'The metadata is about another resource',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: 'RFC 9728',
      section: '§3.3',
      says: 'resource equals the address the client asked; otherwise the document must not be used.',
    },
    fix: 'Set resource to the address of the endpoint, character by character: scheme, host, port and path, without another slash at the end.',
  },
  'prm-placeholder': {
    title: 'The metadata still holds a placeholder',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: 'RFC 9728',
      section: '§2',
      says: 'resource and authorization_servers hold real addresses.',
    },
    fix: 'Replace the placeholder by the address; an address that begins twice with https:// means that the template already had the scheme.',
  },
  'prm-authorization-servers-missing': {
    title: 'The metadata names no authorization server',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: MCP,
      section: 'Authorization Server Location',
      says: 'authorization_servers holds at least one issuer.',
    },
    fix: 'Add "authorization_servers": ["https://ISSUER"] with the issuer exactly as its own metadata spells it.',
  },
  'prm-authorization-server-insecure': {
    title: 'An authorization server is named with an http address',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: MCP,
      section: 'Communication Security',
      says: 'All endpoints of an authorization server are served over https.',
    },
    fix: 'Use the https address of the issuer; http is for loopback only.',
  },
  'prm-forms-differ': {
    title: 'The two forms of the metadata say different things',
    severity: 'warning',
    step: 'resource-metadata',
    rule: {
      source: MCP,
      section: 'Protected Resource Metadata Discovery Requirements',
      says: 'Clients use whichever form they find first, so one endpoint has one document.',
    },
    fix: 'Serve the same document at both addresses, from one place in the code.',
  },
  'prm-query-tokens': {
    title: 'The metadata asks for tokens in the address',
    severity: 'error',
    step: 'resource-metadata',
    rule: {
      source: MCP,
      section: 'Token Requirements',
      says: 'Tokens are sent in the Authorization header and never in the query.',
    },
    fix: 'Set "bearer_methods_supported": ["header"].',
  },
  'prm-offline-access': {
    title: 'offline_access is listed as a scope of the resource',
    severity: 'warning',
    step: 'resource-metadata',
    rule: {
      source: 'MCP specification 2026-07-28, Authorization',
      section: 'Refresh Tokens',
      says: 'offline_access is a matter between client and authorization server; resources do not list it.',
    },
    fix: 'Remove offline_access from scopes_supported of the resource and from challenges; list it in the metadata of the authorization server.',
  },
} as const satisfies Record<string, Fault>;
