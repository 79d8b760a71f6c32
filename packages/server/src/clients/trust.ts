import { getDomain } from 'tldts';
import { type Environment, environmentOf } from '../environments/environments.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { redirectKind } from '../oauth/redirect-uri.ts';
import {
  type WellKnownClient,
  wellKnownByDocument,
  wellKnownByRedirectHost,
} from '../oauth/well-known-clients.ts';
import type { Trust } from '../pages/consent-trust.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Client } from './client.ts';
import { resembled } from './look-alike.ts';
import { hasLiveGrant } from './trust.store.ts';

/** How far a client is known, as the consent page says it. */
export type TrustWhere = { readonly mcpServer?: McpServer | undefined };

/**
 * The trust level of a client that would send people to `redirectUri` (hosted-pages 3.6). Green only for the operator's own
 * clients, and for documents on a listed host that lead back to its own site: a file on somebody's pages host proves nothing.
 */
export async function trustOf(
  ctx: Ctx,
  client: Client,
  redirectUri: string,
  _where: TrustWhere = {},
): Promise<Trust> {
  return trustLevel(await environmentOf(ctx), client, redirectUri);
}

type TrustedParts = Pick<Client, 'id' | 'name' | 'registration' | 'metadata'>;

export function trustLevel(
  environment: Pick<Environment, 'displayName' | 'settings'>,
  client: TrustedParts,
  redirectUri: string,
): Trust {
  if (client.registration === 'admin')
    return {
      kind: 'operator',
      company: environment.settings.operatorName ?? environment.displayName,
    };
  const document = client.registration === 'metadata-document' ? new URL(client.id) : undefined;
  const kind = redirectKind(redirectUri);
  const redirectHost = kind === 'https' ? new URL(redirectUri).hostname : undefined;
  const knownHost = impersonated(environment, client, document, redirectHost);
  if (knownHost !== undefined) return { kind: 'look-alike', knownHost };
  if (redirectHost === undefined) return { kind: 'local-app' };
  if (!document) return { kind: 'self-declared' };
  const listed = wellKnownByDocument(document) !== undefined || isVouchedFor(environment, document);
  return listed && isSameSite(document.hostname, redirectHost)
    ? { kind: 'known-host', host: document.hostname }
    : { kind: 'identified-host' };
}

/**
 * The host of the well-known client that this one is named like without being it. What decides is where access would go; a local
 * app shows no host, so there only a document can be on the wrong one.
 */
function impersonated(
  environment: Pick<Environment, 'settings'>,
  client: TrustedParts,
  document: URL | undefined,
  redirectHost: string | undefined,
): string | undefined {
  const place = redirectHost ?? document?.hostname;
  if (place === undefined) return undefined;
  const names = [client.name, ...Object.values(client.metadata.names ?? {})];
  const alike = [...new Set(names.flatMap(resembled))];
  if (
    alike.length === 0 ||
    environment.settings.trustedRedirectHosts.includes(place) ||
    alike.some((known) => isHostOf(known, place))
  )
    return undefined;
  const [first] = alike;
  return first && (first.redirectHosts[0] ?? first.documentHosts[0]?.host);
}

function isHostOf(known: WellKnownClient, host: string): boolean {
  return [...known.redirectHosts, ...known.documentHosts.map((place) => place.host)].some((own) =>
    isSameSite(own, host),
  );
}

function isVouchedFor(environment: Pick<Environment, 'settings'>, document: URL): boolean {
  return (
    document.port === '' && environment.settings.trustedRedirectHosts.includes(document.hostname)
  );
}

/** Equal registrable domain by the public suffix list with its private section: two customers of one pages host are two sites. */
export function isSameSite(a: string, b: string): boolean {
  if (a === b) return true;
  const domain = getDomain(a, { allowPrivateDomains: true });
  return domain !== null && domain === getDomain(b, { allowPrivateDomains: true });
}

/**
 * Whether errors may be redirected there without a person having seen a page (AS-144): this computer, an administrator's
 * client, a listed host, or a client and exact URI that the signed-in person uses already.
 */
export async function isTrustedRedirect(
  ctx: Ctx,
  client: Client,
  redirectUri: string,
  person: { readonly liveGrantOf?: string | undefined } = {},
): Promise<boolean> {
  const kind = redirectKind(redirectUri);
  if (kind === 'loopback' || client.registration === 'admin') return true;
  if (kind === 'https') {
    const { host } = new URL(redirectUri);
    if (wellKnownByRedirectHost(host) !== undefined) return true;
    if ((await environmentOf(ctx)).settings.trustedRedirectHosts.includes(host)) return true;
  }
  const userId = person.liveGrantOf;
  return (
    userId !== undefined &&
    (await hasLiveGrant(ctx.db, {
      environmentId: ctx.environmentId,
      userId,
      clientId: client.id,
      redirectUri,
    }))
  );
}
