import { canonicalJson } from '../../clients/client.ts';
import { logoPath } from '../../clients/logos.ts';
import { trustOf } from '../../clients/trust.ts';
import { environmentOf } from '../../environments/environments.ts';
import { listGrants } from '../../grants/grants.store.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import type { ConsentModel } from '../../pages/consent.ts';
import { type ConsentScope, hasCheckbox } from '../../pages/consent-scopes.ts';
import { trustColour } from '../../pages/consent-trust.ts';
import { redirectTarget } from '../../pages/redirect-target.ts';
import type { Ctx } from '../../runtime/context.ts';
import { equalBytes, sha256 } from '../../runtime/hash.ts';
import type { PendingConsent } from './pending-consent.ts';

const MOST_GRANTS = 50;
const DAY = 86_400;

/** Everything the consent page shows (AS-126), except the form's own hidden fields. */
export async function consentModel(
  ctx: Ctx,
  pending: PendingConsent,
  signedIn: NonNullable<PendingConsent['signedIn']>,
): Promise<Omit<ConsentModel, 'form'>> {
  const { client, login, mcpServer, request } = pending;
  const environment = await environmentOf(ctx);
  const granted = await grantedHere(ctx, pending, signedIn.user.id);
  const redirect = redirectTarget(login.redirectUri);
  const trust = await trustOf(ctx, client, login.redirectUri, { mcpServer });
  const document =
    client.registration === 'metadata-document' ? documentPlace(client.id) : undefined;
  return {
    clientName: client.name,
    trust,
    redirect,
    registration: registrationOf(client.registration, document),
    firstSeen: client.completedAt === undefined,
    differentHost:
      document !== undefined && redirect.kind === 'web' && redirect.host !== document.host,
    clientDetails: {
      id: client.id,
      redirectUri: login.redirectUri,
      registeredAt: client.createdAt,
      logo: trustColour(trust) === 'green' ? await logoPath(ctx, client) : undefined,
      termsUrl: client.metadata.tosUri,
      privacyUrl: client.metadata.policyUri,
    },
    server: {
      name: mcpServer?.name ?? environment.displayName,
      host: serverHost(mcpServer, request.resource),
      resource: request.resource ?? mcpServer?.serverUrl,
      company: environment.settings.operatorName,
    },
    account: {
      name: signedIn.user.name || undefined,
      email: signedIn.user.email,
      switchUrl: `/login/${login.id}/account`,
    },
    scopes: scopesOf(request.scopes, request.openIdScopes, mcpServer, granted),
    offlineDays: mcpServer && Math.round(mcpServer.refreshAbsoluteLifetime / DAY),
    stepUp: granted.length > 0,
    serverSeesProfile:
      mcpServer?.settings.userinfoForMcp === true && request.openIdScopes.includes('openid'),
    unregisteredResource: request.unregisteredResource
      ? { host: request.resource === undefined ? undefined : hostOf(request.resource) }
      : undefined,
  };
}

/** The scopes that the same browser's live grant already has (AS-46): shown as already allowed. */
async function grantedHere(
  ctx: Ctx,
  { client, login, mcpServer }: PendingConsent,
  userId: string,
): Promise<string[]> {
  if (!mcpServer) return [];
  const grants = await listGrants(ctx.db, {
    environmentId: ctx.environmentId,
    userId,
    clientId: client.id,
    mcpServerId: mcpServer.id,
    limit: MOST_GRANTS,
  });
  return [
    ...new Set(
      grants
        .filter((grant) => equalBytes(grant.browserHash, login.browserHash))
        .flatMap((grant) => grant.scopes),
    ),
  ];
}

/** A lasting connection is a refresh token, whichever way it was asked for (AS-106, AS-126). */
function scopesOf(
  scopes: readonly string[],
  openIdScopes: readonly string[],
  mcpServer: McpServer | undefined,
  granted: readonly string[],
): ConsentScope[] {
  const own = scopes.map((name): ConsentScope => {
    const known = mcpServer?.scopes.find((scope) => scope.name === name);
    const isGranted = granted.includes(name);
    return {
      name,
      class:
        known?.class === 'see'
          ? 'see'
          : known?.class === 'delete_or_spend'
            ? 'delete-or-spend'
            : 'change',
      title: known?.title || undefined,
      description: known?.description || undefined,
      granted: isGranted,
    };
  });
  const profile = openIdScopes
    .filter((scope) => scope !== 'offline_access')
    .map((name): ConsentScope => ({ name, class: 'profile', granted: granted.includes(name) }));
  const lasting: ConsentScope[] =
    mcpServer === undefined ||
    mcpServer.settings.refreshPolicy === 'grant_type' ||
    openIdScopes.includes('offline_access')
      ? [{ name: 'offline_access', class: 'offline', granted: granted.length > 0 }]
      : [];
  return [...own, ...profile, ...lasting];
}

/** Names of the scopes that have a box on this page. */
export function boxesOf(scopes: readonly ConsentScope[]): string[] {
  return scopes.filter(hasCheckbox).map((scope) => scope.name);
}

/**
 * What an *allow* grants: a scope with a box only when it was ticked (AS-44). Boxes of the page that was posted count as well
 * as those it would have now: what another tab allowed in the meantime takes no answer away.
 */
export function chosenScopes(
  { request }: PendingConsent,
  ticked: readonly string[],
  boxes: readonly string[],
): string[] {
  const own = request.scopes.filter((name) => !boxes.includes(name) || ticked.includes(name));
  return [...own, ...request.openIdScopes];
}

/**
 * What the page says about who asks, for which place and for what, in one value: a decision counts for this and for nothing
 * else (AS-132). What the person had allowed before is left out; `chosenScopes` looks at it.
 */
export function shownOf(model: Omit<ConsentModel, 'form'>): string {
  const { clientName, trust, redirect, registration, clientDetails, server, account } = model;
  const said = {
    who: [clientName, trust, redirect, registration, clientDetails.id, clientDetails.redirectUri],
    place: [server.name, server.host, server.resource, model.unregisteredResource],
    account: account.email,
    what: model.scopes.map(({ granted: _granted, ...scope }) => scope),
    profile: model.serverSeesProfile,
    days: model.offlineDays,
  };
  return Buffer.from(sha256(canonicalJson(said))).toString('base64url');
}

function registrationOf(
  registration: 'admin' | 'dynamic' | 'metadata-document',
  document: DocumentPlace | undefined,
): ConsentModel['registration'] {
  if (registration === 'admin') return { kind: 'operator' };
  return registration === 'metadata-document' && document
    ? { kind: 'metadata-document', ...document }
    : { kind: 'dynamic' };
}

type DocumentPlace = { readonly host: string; readonly firstPathSegment?: string };

function documentPlace(clientId: string): DocumentPlace {
  const url = new URL(clientId);
  const [, first] = url.pathname.split('/');
  return { host: url.host, ...(first ? { firstPathSegment: first } : {}) };
}

function serverHost(
  mcpServer: McpServer | undefined,
  resource: string | undefined,
): string | undefined {
  const place = mcpServer?.serverUrl ?? resource;
  return place === undefined ? undefined : hostOf(place);
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
