import { type Fault, TRANSPORT } from './fault.ts';

/** Faults of the steps `cors` and `transport`. */
export const browserFaults = {
  'preflight-needs-token': {
    title: 'The CORS preflight is refused for want of a token',
    severity: 'error',
    step: 'cors',
    rule: {
      source: 'Fetch standard',
      section: 'CORS preflight',
      says: 'Browsers send the preflight without credentials; only a 2xx answer lets the request follow.',
    },
    fix: 'Answer OPTIONS with the CORS headers before the token is checked.',
  },
  'preflight-headers-missing': {
    title: 'The CORS preflight does not allow what MCP clients send',
    severity: 'warning',
    step: 'cors',
    rule: {
      source: 'Fetch standard',
      section: 'CORS preflight',
      says: 'Authorization and every MCP header have to be listed by name; * does not include Authorization.',
    },
    fix: 'Answer OPTIONS with Access-Control-Allow-Origin and Access-Control-Allow-Headers: Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID.',
  },
  'challenge-not-exposed': {
    title: 'Clients in browsers cannot read the challenge',
    severity: 'warning',
    step: 'cors',
    rule: {
      source: 'Fetch standard',
      section: 'CORS-exposed headers',
      says: 'Scripts read only response headers that Access-Control-Expose-Headers lists, on refusals too.',
    },
    fix: 'Send Access-Control-Allow-Origin and Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id with 401 and 403 too.',
  },
  'cors-credentials-wildcard': {
    title: 'CORS allows credentials for every origin',
    severity: 'warning',
    step: 'cors',
    rule: {
      source: 'Fetch standard',
      section: 'CORS protocol and credentials',
      says: 'Credentials go with one named origin; with * browsers refuse, and a copied origin lets every page act for its visitor.',
    },
    fix: 'Remove Access-Control-Allow-Credentials; tokens in the Authorization header do not need it.',
  },
  'prm-cors-missing': {
    title: 'Clients in browsers cannot read the protected resource metadata',
    severity: 'warning',
    step: 'cors',
    rule: {
      source: 'Fetch standard',
      section: 'CORS protocol',
      says: 'Scripts read an answer of another origin only with Access-Control-Allow-Origin.',
    },
    fix: 'Send Access-Control-Allow-Origin: * with the document; it is public.',
  },
  'as-cors-missing': {
    title: 'Clients in browsers cannot use the authorization server',
    severity: 'warning',
    step: 'cors',
    rule: {
      source: 'Fetch standard',
      section: 'CORS protocol',
      says: 'Metadata, registration and token endpoint are called by scripts and need Access-Control-Allow-Origin.',
    },
    fix: 'Send Access-Control-Allow-Origin: * with metadata, token and registration answers, errors included, and answer their preflights.',
  },
  'origin-unchecked': {
    title: 'Requests of foreign web pages are not refused',
    severity: 'warning',
    step: 'transport',
    rule: {
      source: TRANSPORT,
      section: 'Streamable HTTP, security warning',
      says: 'Servers validate Origin on every connection and answer 403 to one that may not call them (DNS rebinding).',
    },
    fix: 'Refuse requests whose Origin header is present and not on a list of yours with 403, before anything else.',
  },
  'get-hangs': {
    title: 'GET is never answered',
    severity: 'error',
    step: 'transport',
    rule: {
      source: TRANSPORT,
      section: 'Streamable HTTP, listening for messages',
      says: 'GET opens an event stream at once or is answered with 405.',
    },
    fix: 'Answer GET with 405 where the server has no messages of its own to send; otherwise send the headers of the stream at once.',
  },
} as const satisfies Record<string, Fault>;
