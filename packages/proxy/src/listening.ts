import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Limits } from './options.ts';
import { afterMs } from './runtime/wait.ts';

/** Room for a token of 16 KiB and what comes with it. */
const largestHeadBytes = 32_768;
const checkConnectionsMs = 1_000;

/** The server that the outside talks to. Slow heads and bodies are cut off by it, and connections above the limit. */
export function publicServer(limits: Limits): Server {
  const server = createServer({
    headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(checkConnectionsMs, limits.headersTimeoutMs),
    maxHeaderSize: largestHeadBytes,
    // Longer than load balancers keep theirs, so that they are never the last to hear that a connection ended.
    keepAliveTimeout: 65_000,
    insecureHTTPParser: false,
  });
  server.maxConnections = limits.maxConnections;
  return server;
}

/** @returns the port; rejects when it is taken */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // A listening TCP server always has an address with a port.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Takes nothing new, waits for what is open, and ends what is left after the grace. */
export async function closeGently(server: Server, graceMs: number): Promise<void> {
  const cancel = afterMs(graceMs, () => server.closeAllConnections());
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await closed;
  cancel();
}

export async function closeNow(server: Server): Promise<void> {
  await closeGently(server, 0);
}
