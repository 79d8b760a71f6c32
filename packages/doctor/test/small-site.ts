import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** What of node:test's context is needed here. */
export type Cleanup = { after(work: () => Promise<void>): void };

export type Site = {
  readonly origin: string;
  readonly mcp: string;
  /** Requests as they came: method, path with query, and the time. */
  readonly seen: readonly {
    readonly method: string;
    readonly target: string;
    readonly at: number;
    readonly host: string;
  }[];
  readonly bodies: readonly string[];
};

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  site: Site,
) => boolean | undefined;

export type SiteOptions = {
  /** Answers a request in the place of the site; true when it did. */
  readonly handle?: Handler | undefined;
  /** Changes of the two documents. */
  readonly resource?: (origin: string) => Readonly<Record<string, unknown>>;
  readonly server?: (origin: string) => Readonly<Record<string, unknown>>;
};

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers':
    'Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id',
  'access-control-expose-headers': 'WWW-Authenticate',
};

/** A protected MCP endpoint and its authorization server in one, with nothing wrong but what a test adds. */
export async function startSite(t: Cleanup, options: SiteOptions = {}): Promise<Site> {
  const seen: { method: string; target: string; at: number; host: string }[] = [];
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    seen.push({
      method: request.method ?? '',
      target: request.url ?? '',
      at: Date.now(),
      host: request.headers.host ?? '',
    });
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      bodies.push(body);
      if (!options.handle?.(request, response, site)) answer(request, response, site, options);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port was bound');
  const origin = `http://127.0.0.1:${address.port}`;
  const site: Site = { origin, mcp: `${origin}/mcp`, seen, bodies };
  return site;
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { origin, mcp }: Site,
  options: SiteOptions,
): void {
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (request.method === 'OPTIONS') {
    response.writeHead(204, CORS).end();
    return;
  }
  if (path.startsWith('/.well-known/oauth-protected-resource')) {
    const document = { resource: mcp, authorization_servers: [origin] };
    json(response, 200, { ...document, ...options.resource?.(origin) });
  } else if (path === '/.well-known/oauth-authorization-server')
    json(response, 200, { ...metadata(origin), ...options.server?.(origin) });
  else if (path === '/keys') json(response, 200, { keys: [] });
  else if (path === '/token') json(response, 401, { error: 'invalid_client' });
  else if (path === '/mcp') {
    const error = request.headers.authorization === undefined ? '' : 'error="invalid_token", ';
    json(
      response,
      401,
      { error: 'unauthorized' },
      {
        'www-authenticate': `Bearer ${error}resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
      },
    );
  } else json(response, 404, { error: 'not_found' });
}

function metadata(origin: string): Record<string, unknown> {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response
    .writeHead(status, { ...CORS, 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(body));
}
