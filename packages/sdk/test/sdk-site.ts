import { startTestGatewarden, type TestGatewarden } from '@gatewarden/server/testing';
import { Gatewarden, type GatewardenOptions } from '../src/index.ts';

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What the SDK sent, and what is done about it. */
export type Network = {
  readonly fetch: Fetch;
  /** Paths in the order they were asked for. */
  readonly paths: string[];
  /** Answers instead of the server, or lets the request through; it hears of every request. */
  fault: (path: string, init: RequestInit) => Response | Promise<Response | undefined> | undefined;
  readonly tokens: () => number;
};

/** Stands between the SDK and the server: counts requests, and loses some of them. */
export function network(): Network {
  const paths: string[] = [];
  const made: Network = {
    paths,
    fault: () => undefined,
    tokens: () => paths.filter((path) => path === '/oauth/token').length,
    fetch: async (url, init) => {
      const path = new URL(url).pathname;
      paths.push(path);
      return (await made.fault(path, init)) ?? (await fetch(url, init));
    },
  };
  return made;
}

/** A real server and the SDK in front of it, over a network that the test can disturb. */
export async function sdkSite(t: { after(work: () => Promise<void>): void }): Promise<{
  readonly gatewarden: TestGatewarden;
  readonly client: (
    options?: GatewardenOptions,
    secret?: string,
  ) => { readonly sdk: Gatewarden; readonly net: Network };
}> {
  const gatewarden = await startTestGatewarden(t);
  const { id, secret } = gatewarden.client;
  return {
    gatewarden,
    client: (options = {}, other = secret) => {
      const net = network();
      const defaults = { now: gatewarden.clock.now, firstWaitMs: 1, fetch: net.fetch };
      return { sdk: new Gatewarden(gatewarden.url, id, other, { ...defaults, ...options }), net };
    },
  };
}

/** The answer of something in front of the server that cannot reach it. */
export function badGateway(status = 503): Response {
  return new Response('<h1>upstream</h1>', { status, headers: { 'content-type': 'text/html' } });
}

/** What a call is refused with. @throws {Error} it is not refused */
export async function refusal(call: Promise<unknown>): Promise<Error> {
  const outcome: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error('the call was not refused');
}
