import {
  answerAuthorization,
  emptyMemory,
  goodAuthorizationParts,
} from './authorization-server.ts';
import { trustedCertificate } from './certificate.ts';
import { type Certificate, listen } from './http.ts';
import { type Keys, signingKeys } from './keys.ts';
import type { Parts, Place } from './parts.ts';
import { answerResource, goodResourceParts } from './resource-server.ts';

/** Something that ends: a test's context. */
export type Ending = { after(work: () => Promise<void>): void };

/** What a change of the good server may look at. */
export type Good = { readonly parts: Parts; readonly place: Place; readonly keys: Keys };
export type Change = (good: Good) => Partial<Parts>;

/**
 * Origins without a port, for servers that must look as if they were on the internet. The port is added;
 * with https there is a certificate that this process trusts.
 */
export type Names = { readonly resource: string; readonly authorization: string };

export type StartOptions = {
  readonly change?: Change | undefined;
  readonly names?: Names | undefined;
  /** Endpoint and issuer have no path. */
  readonly atRoot?: boolean | undefined;
  /** For an https server at its loopback address. */
  readonly certificate?: Certificate | undefined;
};

export type ReferenceServer = Place & {
  /** Leads the two origins to their ports and other names nowhere: nothing leaves this machine. */
  readonly fetch: typeof fetch;
  /** The resolver that goes with it. */
  readonly resolve: (hostname: string) => Promise<readonly string[]>;
};

let shared: Promise<Keys> | undefined;

/**
 * A correct MCP server with its own authorization server, on two free loopback ports, stopped with the
 * test. It shares no code with Gatewarden, so that what is said about it is said from outside.
 */
export async function startReferenceServer(
  t: Ending,
  { change, names, atRoot, certificate }: StartOptions = {},
): Promise<ReferenceServer> {
  shared ??= signingKeys();
  const keys = await shared;
  const [resource, authorization] = await Promise.all([
    listen(certificate ?? (await certificateFor(names?.resource))),
    listen(await certificateFor(names?.authorization)),
  ]);
  t.after(async () => {
    await Promise.all([resource.close(), authorization.close()]);
  });
  const resourceOrigin = publicOrigin(resource.origin, names?.resource);
  const issuerOrigin = publicOrigin(authorization.origin, names?.authorization);
  const place: Place = {
    mcp: `${resourceOrigin}${atRoot ? '/' : '/mcp'}`,
    resourceOrigin,
    issuer: `${issuerOrigin}${atRoot ? '' : '/todos'}`,
    issuerOrigin,
  };
  const good: Parts = { ...goodResourceParts(place, keys), ...goodAuthorizationParts(place, keys) };
  const parts: Parts = { ...good, ...change?.({ parts: good, place, keys }) };
  const memory = emptyMemory();
  resource.answer((request) =>
    parts.resourceFront(request, () => answerResource(parts, place, request)),
  );
  authorization.answer((request) =>
    parts.authorizationFront(request, () =>
      answerAuthorization(parts, { place, keys, memory }, request),
    ),
  );
  const ports = new Map([
    [resourceOrigin, resource.origin],
    [issuerOrigin, authorization.origin],
  ]);
  const known = new Set([...ports.keys()].map((origin) => new URL(origin).hostname));
  return {
    ...place,
    fetch: fetchByName(ports),
    resolve: async (hostname) => {
      if (!known.has(hostname)) throw notFound(hostname);
      return ['127.0.0.1'];
    },
  };
}

async function certificateFor(origin: string | undefined): Promise<Certificate | undefined> {
  return origin?.startsWith('https:') ? await trustedCertificate() : undefined;
}

function publicOrigin(listening: string, name: string | undefined): string {
  return name === undefined ? listening : `${name}:${new URL(listening).port}`;
}

function notFound(hostname: string): Error {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
}

function fetchByName(origins: ReadonlyMap<string, string>): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const origin = origins.get(url.origin);
    if (origin === undefined && url.hostname !== '127.0.0.1')
      throw new TypeError('fetch failed', { cause: notFound(url.hostname) });
    const target = `${origin ?? url.origin}${url.pathname}${url.search}`;
    return await fetch(input instanceof Request ? new Request(target, input) : target, init);
  };
}
