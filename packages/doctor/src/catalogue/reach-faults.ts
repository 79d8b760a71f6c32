import { type Fault, MCP, TRANSPORT } from './fault.ts';

/** Faults of the step `reach`: getting an answer from the endpoint at all. */
export const reachFaults = {
  'insecure-http': {
    title: 'The endpoint is served without TLS',
    severity: 'error',
    step: 'reach',
    rule: {
      source: 'RFC 6750',
      section: '§5.3',
      says: 'Bearer tokens travel only over TLS; plain http is for loopback during development.',
    },
    fix: 'Serve the endpoint at an https address (a reverse proxy with a certificate is enough) and give clients that address.',
  },
  'tls-invalid': {
    title: 'The TLS certificate is not trusted',
    severity: 'error',
    step: 'reach',
    rule: {
      source: 'RFC 6750',
      section: '§5.3',
      says: 'Clients check the certificate chain and the host name, and stop where either is wrong.',
    },
    fix: 'Install a certificate of a public authority that names this host, with its intermediate certificates, and renew it before it ends.',
  },
  'redirect-loop': {
    title: 'The endpoint redirects without end',
    severity: 'error',
    step: 'reach',
    rule: {
      source: 'RFC 9110',
      section: '§15.4',
      says: 'A redirect leads somewhere; clients give up on cycles and long chains.',
    },
    fix: 'Answer POST requests at the published address itself. Look for a proxy and an application that each "correct" scheme, host or trailing slash of the other.',
  },
  'endpoint-not-found': {
    title: 'There is no MCP endpoint at this address',
    severity: 'error',
    step: 'reach',
    rule: {
      source: TRANSPORT,
      section: 'Streamable HTTP',
      says: 'A server offers one address that takes JSON-RPC messages by POST.',
    },
    fix: 'Check the path (often /mcp, with or without a trailing slash) and that the server or its proxy routes POST requests of that path to the MCP transport.',
  },
  'server-error': {
    title: 'The endpoint answers with a server error',
    severity: 'error',
    step: 'reach',
    rule: {
      source: MCP,
      section: 'Error Handling',
      says: 'A request without a token is answered with 401, never with a failure of the server.',
    },
    fix: 'Read the log of the server at the time of this request. Usual causes: the check of the token throws instead of answering, or a setting such as the issuer is missing.',
  },
} as const satisfies Record<string, Fault>;
