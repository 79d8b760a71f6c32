import type { Client } from '../../clients/client.ts';
import { recordableClientId, resolveClient } from '../../clients/clients.ts';
import { environmentOf } from '../../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../../environments/rate-limit.ts';
import { recordFor } from '../../events/events.ts';
import { logRefusal } from '../../login/auth-requests.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import { isServing } from '../../mcp/mcp-servers.ts';
import type { Problem } from '../../pages/error-problem.ts';
import type { Ctx } from '../../runtime/context.ts';
import { newSecret } from '../../runtime/ids.ts';
import type { AuthorizationRequest } from '../authorization-request.ts';
import { OAuthError } from '../oauth-error.ts';
import { matchRedirectUri } from '../redirect-uri.ts';
import { parseScope } from '../scope.ts';
import * as check from './check-request.ts';
import { clientProblem } from './client-problem.ts';
import { requestedScopes } from './requested-scopes.ts';
import { resolveResource } from './resolve-resource.ts';

/** Of a resource, in an event. */
const LONGEST_NOTED = 512;

/** The parameters as parsed at the edge. */
export type AuthorizeParameters = {
  readonly params: Readonly<Record<string, string>>;
  readonly resources: readonly string[];
  readonly duplicates: readonly string[];
};

/** Client and redirect URI, proven: from here on an error may travel to the client. */
export type ProvenClient = {
  readonly client: Client;
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly flowId: string;
};

export type AuthorizeOutcome =
  /** Never a redirect, never a link (AS-22). */
  | { readonly kind: 'page'; readonly problem: Problem; readonly retryAfterSeconds?: number }
  | {
      readonly kind: 'refused';
      readonly proven: ProvenClient;
      readonly issuer: Issuer;
      readonly error: OAuthError;
    }
  | {
      readonly kind: 'accepted';
      readonly proven: ProvenClient;
      readonly issuer: Issuer;
      readonly mcpServerId: string | undefined;
      readonly request: AuthorizationRequest;
    };

/**
 * The authorization endpoint up to the person (RFC 6749 section 4.1.1). Two halves: until client and redirect URI are proven an
 * error is a page; after that it is the client's (RFC 6749 section 4.1.2.1), as `refused`.
 */
export async function authorize(
  ctx: Ctx,
  issuer: Issuer,
  sent: AuthorizeParameters,
): Promise<AuthorizeOutcome> {
  const limited = await withinLimit(ctx);
  if (limited) return limited;
  if (issuer.mcpServer && !isServing(issuer.mcpServer))
    return { kind: 'page', problem: { kind: 'not-found' } };
  const found = await proveClient(ctx, issuer, sent);
  if ('kind' in found) {
    await logRefusal(ctx, {
      type: 'authorization.refused',
      reason: found.problem.kind,
      clientId: recordableClientId(sent.params['client_id']),
      mcpServerId: issuer.mcpServer?.id,
    });
    return found;
  }
  try {
    return await examine(ctx, issuer, sent, found);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    await logRefusal(ctx, {
      type: 'authorization.refused',
      reason: error.code,
      flowId: found.flowId,
      clientId: found.client.id,
      mcpServerId: issuer.mcpServer?.id,
      data: {
        description: error.description,
        ...(error.detail === undefined ? {} : { detail: error.detail }),
      },
    });
    return { kind: 'refused', proven: found, issuer, error };
  }
}

async function examine(
  ctx: Ctx,
  issuer: Issuer,
  sent: AuthorizeParameters,
  proven: ProvenClient,
): Promise<AuthorizeOutcome> {
  const { params } = sent;
  check.checkOnce(sent.duplicates);
  check.checkState(params);
  check.checkResponseMode(params);
  check.checkResponseType(params);
  check.checkGrantAllowed(proven.client);
  const codeChallenge = check.checkPkce(params, proven.client, issuer); // RFC 7636 section 4.4.1
  const decision = await resolveResource(ctx, {
    issuer,
    client: proven.client,
    resources: sent.resources,
  }); // RFC 8707 section 2
  if (decision.kind === 'refused') throw new OAuthError('invalid_target', decision.description);
  const mcpServer = decision.kind === 'mcp-server' ? decision.mcpServer : undefined;
  // At E the server is known only now, and with it which metadata documents it accepts (AS-80, AS-83).
  if (mcpServer && !issuer.mcpServer && proven.client.registration === 'metadata-document') {
    const accepted = await clientOr(ctx, { issuer: issuer.issuer, mcpServer }, proven.client.id);
    if ('kind' in accepted && accepted.kind === 'page') return accepted;
  }
  const scopes = requestedScopes(parseScope(params['scope']), mcpServer);
  const request: AuthorizationRequest = {
    state: params['state'],
    nonce: check.checkNonce(params),
    codeChallenge,
    redirectUriGiven: params['redirect_uri'] !== undefined,
    scopes: scopes.scopes,
    openIdScopes: scopes.openIdScopes,
    resource: decision.kind === 'mcp-server' ? decision.resource : undefined,
    unregisteredResource: decision.kind === 'mcp-server' && decision.unregistered,
    prompt: check.checkPrompt(params),
    maxAge: check.checkMaxAge(params),
    loginHint: check.hint(params, 'login_hint'),
    uiLocales: check.hint(params, 'ui_locales'),
    organizationId: check.hint(params, 'organization_id'),
    connectionId: check.hint(params, 'connection_id'),
    domainHint: check.hint(params, 'domain_hint') ?? check.hint(params, 'domain'),
  };
  if (sent.resources.length === 0)
    ctx.metrics.count('gatewarden_authorizations_without_resource_total');
  await recordFor(ctx, {
    type: 'authorization.requested',
    flowId: proven.flowId,
    clientId: proven.client.id,
    mcpServerId: mcpServer?.id,
    data: {
      scopes: scopes.scopes,
      unknownScopes: scopes.unknown,
      resource: sent.resources[0]?.slice(0, LONGEST_NOTED),
      redirectUri: proven.redirectUri,
      issuer: issuer.issuer,
    },
  });
  return { kind: 'accepted', proven, issuer, mcpServerId: mcpServer?.id, request };
}

/** AS-22: first the client, then its redirect URI; neither failure redirects. */
async function proveClient(
  ctx: Ctx,
  issuer: Issuer,
  sent: AuthorizeParameters,
): Promise<ProvenClient | Extract<AuthorizeOutcome, { kind: 'page' }>> {
  const { params } = sent;
  const clientId = params['client_id'];
  const missing = [
    ...(clientId === undefined ? ['client_id'] : []),
    ...(params['response_type'] === undefined && clientId === undefined ? ['response_type'] : []),
  ];
  if (clientId === undefined) return { kind: 'page', problem: { kind: 'no-context', missing } };
  if (sent.duplicates.includes('client_id') || sent.duplicates.includes('redirect_uri'))
    return {
      kind: 'page',
      problem: { kind: 'no-context', missing: ['one client_id and one redirect_uri'] },
    };
  const client = await clientOr(ctx, issuer, clientId);
  if ('kind' in client && client.kind === 'page') return client;
  // Of two states none is *the* client's.
  const state = sent.duplicates.includes('state') ? undefined : params['state'];
  return redirectOr(client as Client, params['redirect_uri'], state, newSecret(ctx, 16));
}

function redirectOr(
  client: Client,
  presented: string | undefined,
  state: string | undefined,
  flowId: string,
): ProvenClient | Extract<AuthorizeOutcome, { kind: 'page' }> {
  const only = client.redirectUris.length === 1 ? client.redirectUris[0] : undefined;
  const redirectUri =
    presented === undefined
      ? only
      : matchRedirectUri(client.redirectUris, presented) === undefined
        ? undefined
        : presented;
  if (redirectUri === undefined) {
    return {
      kind: 'page',
      problem: {
        kind: 'redirect-uri-not-registered',
        clientName: client.name,
        clientId: client.id,
        received: presented ?? '',
        registered: client.redirectUris,
      },
    };
  }
  // A state that is too long is not carried into the refusal either (AS-25).
  const carried = state !== undefined && Buffer.byteLength(state) <= 4096 ? state : undefined;
  return { client, redirectUri, state: carried, flowId: `flw_${flowId}` };
}

async function clientOr(
  ctx: Ctx,
  issuer: Issuer,
  clientId: string,
): Promise<Client | Extract<AuthorizeOutcome, { kind: 'page' }>> {
  const found = await resolveClient(ctx, clientId, {
    ...(issuer.mcpServer ? { mcpServer: issuer.mcpServer } : {}),
    purpose: 'authorize',
  });
  if (found.kind === 'found') return found.client;
  const server = issuer.mcpServer?.name ?? (await environmentOf(ctx)).displayName;
  return { kind: 'page', ...clientProblem(ctx, found, { clientId, server }) };
}

async function withinLimit(ctx: Ctx): Promise<AuthorizeOutcome | undefined> {
  const environment = await environmentOf(ctx);
  if (!limitApplies(ctx, environment)) return undefined;
  const counted = await countAgainst(ctx, {
    name: 'authorize',
    key: networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 64 }),
    windowSeconds: 60,
    max: environment.settings.limits.authorizePerMinute,
  });
  return counted.allowed
    ? undefined
    : {
        kind: 'page',
        problem: {
          kind: 'too-many-requests',
          seconds: counted.retryAfterSeconds,
          limiter: 'authorize',
        },
        retryAfterSeconds: counted.retryAfterSeconds,
      };
}
