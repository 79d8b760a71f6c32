import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import type { GuardHealth } from '@gatewarden/resource-server';
import type { IdentitySigner } from './identity.ts';

export type Managed = {
  /** Reached by this machine alone, and so only under a loopback name. */
  readonly loopback: boolean;
  readonly identity: IdentitySigner | undefined;
  readonly upstream: URL;
  readonly stopping: () => boolean;
  readonly metrics: () => Promise<string>;
  readonly health: () => GuardHealth;
};

const probeMs = 2_000;

/** Health, metrics and the identity key set: on a port of their own, never on the public one. */
export function managementServer(managed: Managed): Server {
  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    switch (path) {
      case '/healthz':
        return json(200, { status: 'ok' });
      case '/readyz':
        return await readiness(managed);
      case '/metrics':
        return {
          status: 200,
          type: 'text/plain; version=0.0.4; charset=utf-8',
          body: await managed.metrics(),
        };
      case '/identity/jwks.json':
        return managed.identity
          ? json(200, managed.identity.keySet)
          : json(404, { error: 'not_found' });
      default:
        return json(404, { error: 'not_found' });
    }
  };
  const listener: RequestListener = (request, response) => {
    const reading = request.method === 'GET' || request.method === 'HEAD';
    const refused = !reading ? 405 : isFromPage(managed, request) ? 403 : undefined;
    const answered = refused
      ? Promise.resolve(json(refused, { error: 'forbidden' }))
      : answer((request.url ?? '').split('?')[0] ?? '');
    void answered
      .catch(() => json(500, { error: 'server_error' }))
      .then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
  };
  return createServer({ headersTimeout: 5_000, requestTimeout: 10_000 }, listener);
}

/** No page in a browser has business here, also when its name leads to this machine (DNS rebinding). */
function isFromPage({ loopback }: Managed, { headers }: IncomingMessage): boolean {
  if (headers.origin !== undefined) return true;
  const named = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?$/i;
  return loopback && !named.test(headers.host ?? '');
}

/** Ready: not on the way down, the upstream takes connections, and tokens can be checked. */
async function readiness(
  managed: Managed,
): Promise<{ status: number; type: string; body: string }> {
  if (managed.stopping()) return json(503, { status: 'stopping' });
  const authorization = managed.health();
  if (authorization.status === 'unavailable')
    return json(503, { status: 'authorization_unavailable', authorization });
  const reachable = await accepts(managed.upstream);
  const status = reachable ? 'ready' : 'upstream_unreachable';
  return json(reachable ? 200 : 503, { status, authorization });
}

function accepts(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port });
    const done = (reachable: boolean): void => {
      socket.destroy();
      resolve(reachable);
    };
    socket.setTimeout(probeMs, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

function json(status: number, value: unknown): { status: number; type: string; body: string } {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}
