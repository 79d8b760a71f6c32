import {
  answerAuthorization,
  emptyMemory,
  goodAuthorizationParts,
} from './authorization-server.ts';
import { type Certificate, listen } from './http.ts';
import { type Keys, signingKeys } from './keys.ts';
import type { Parts, Place } from './parts.ts';
import { answerResource, goodResourceParts } from './resource-server.ts';

/** Something that ends: a test's context. */
export type Ending = { after(work: () => Promise<void>): void };

/** What a change of the good server may look at. */
export type Good = { readonly parts: Parts; readonly place: Place; readonly keys: Keys };
export type Change = (good: Good) => Partial<Parts>;

/** Names instead of loopback addresses, for servers that must look as if they were on the internet. */
export type Names = { readonly resource: string; readonly authorization: string };

export type StartOptions = {
  readonly change?: Change;
  readonly names?: Names;
  readonly certificate?: Certificate;
};

export type ReferenceServer = Place & {
  /** Leads the given names to the loopback ports, and every other name nowhere: nothing leaves this machine. */
  readonly fetch: typeof fetch;
};

let shared: Promise<Keys> | undefined;

/**
 * A correct MCP server with its own authorization server, on two free loopback ports, stopped with the
 * test. It shares no code with Gatewarden, so that what is said about it is said from outside.
 */
export async function startReferenceServer(
  t: Ending,
  { change, names, certificate }: StartOptions = {},
): Promise<ReferenceServer> {
  shared ??= signingKeys();
  const keys = await shared;
  const [resource, authorization] = await Promise.all([listen(certificate), listen()]);
  t.after(async () => {
    await Promise.all([resource.close(), authorization.close()]);
  });
  const resourceOrigin = names?.resource ?? resource.origin;
  const issuerOrigin = names?.authorization ?? authorization.origin;
  const place: Place = {
    mcp: `${resourceOrigin}/mcp`,
    resourceOrigin,
    issuer: `${issuerOrigin}/todos`,
    issuerOrigin,
  };
  const good: Parts = { ...goodResourceParts(place, keys), ...goodAuthorizationParts(place, keys) };
  const parts: Parts = { ...good, ...change?.({ parts: good, place, keys }) };
  const memory = emptyMemory();
  resource.answer((request) => parts.resourceFront(request, () => answerResource(parts, request)));
  authorization.answer((request) =>
    parts.authorizationFront(request, () =>
      answerAuthorization(parts, { place, keys, memory }, request),
    ),
  );
  const ports = new Map([
    [resourceOrigin, resource.origin],
    [issuerOrigin, authorization.origin],
    [issuerOrigin.replace('https:', 'http:'), authorization.origin],
  ]);
  return { ...place, fetch: fetchByName(ports) };
}

function fetchByName(origins: ReadonlyMap<string, string>): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const origin = origins.get(url.origin);
    if (origin === undefined && url.hostname !== '127.0.0.1') {
      const cause = Object.assign(new Error(`getaddrinfo ENOTFOUND ${url.hostname}`), {
        code: 'ENOTFOUND',
      });
      throw new TypeError('fetch failed', { cause });
    }
    const target = `${origin ?? url.origin}${url.pathname}${url.search}`;
    return await fetch(input instanceof Request ? new Request(target, input) : target, init);
  };
}
