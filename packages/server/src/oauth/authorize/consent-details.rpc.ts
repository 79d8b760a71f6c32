import {
  type ClientService,
  ResourceType,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import type { Client } from '../../clients/client.ts';
import { resolveClient } from '../../clients/clients.ts';
import { logoPath } from '../../clients/logos.ts';
import { trustOf } from '../../clients/trust.ts';
import { ApiError } from '../../http/api-error.ts';
import type { Slice } from '../../http/calls.ts';
import { cookieIn, cookieName } from '../../http/cookies.ts';
import { BROWSER_COOKIE } from '../../login/browser.ts';
import { findLoginRequest, type LoginRequest } from '../../login/login-requests.store.ts';
import { satisfies } from '../../login/next-step.ts';
import { findUndecidedRequest } from '../../login/undecided-request.store.ts';
import { findMcpServer, isServing, type McpServer } from '../../mcp/mcp-servers.ts';
import { trustColour } from '../../pages/consent-trust.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { SESSION_COOKIE, sessionsOf } from '../../sessions/sessions.ts';
import { findUser, type User } from '../../users/users.ts';
import type { AuthorizationRequest } from '../authorization-request.ts';
import { matchRedirectUri } from '../redirect-uri.ts';
import { permittedScopes } from './permitted-scopes.ts';

const SECRET = /^[A-Za-z0-9_-]{43}$/;

/**
 * What a consent page shows, for a page of the operator's own. The browser's cookie names the request: the newest one that
 * this very browser started, in which the person has signed in and not decided (AS-30). Without all of that there is nothing,
 * and whoever asks learns no more.
 */
export const consentDetailsRpc: Slice<typeof ClientService> = {
  async getConsentDetails(ctx, _request, { header }) {
    const cookies = header.get('cookie') ?? undefined;
    const cookie = (name: string): string | undefined =>
      cookieIn(cookies, cookieName({ environmentId: ctx.environmentId, issuer: ctx.issuer }, name));
    const login = await pendingLogin(ctx, cookie(BROWSER_COOKIE));
    const user = login && (await signedIn(ctx, login, cookie(SESSION_COOKIE)));
    const parties = login && user && (await partiesOf(ctx, login));
    if (!login || !user || !parties) throw nothingPending();
    const { client, mcpServer } = parties;
    const request = login.details.parameters as AuthorizationRequest; // what the authorization endpoint froze
    const scopes = await permittedScopes(ctx, request.scopes, { client, mcpServer, user });
    return {
      ...(mcpServer ? { resource: resourceOf(mcpServer) } : {}),
      user: { email: user.email },
      client: await clientOf(ctx, client, login.redirectUri, mcpServer),
      scopes: [
        ...scopes.map((name) => ({ name, description: describe(name, mcpServer) })),
        ...request.openIdScopes.map((name) => ({ name })),
      ],
    };
  },
};

async function pendingLogin(
  ctx: Ctx,
  secret: string | undefined,
): Promise<LoginRequest | undefined> {
  if (secret === undefined || !SECRET.test(secret)) return undefined;
  const { db, environmentId } = ctx;
  const browserHash = sha256(secret);
  const id = await findUndecidedRequest(db, { environmentId, browserHash, now: ctx.now() });
  return id === undefined ? undefined : await findLoginRequest(db, { environmentId, id });
}

async function signedIn(
  ctx: Ctx,
  login: LoginRequest,
  cookie: string | undefined,
): Promise<User | undefined> {
  const { current } = await sessionsOf(ctx, cookie, login.browserHash, login.details.ownSignIn);
  if (!current || !satisfies(login, current, ctx.now())) return undefined;
  const { environmentId } = ctx;
  const user = await findUser(ctx.db, { environmentId, id: current.userId });
  return user?.enabled ? user : undefined;
}

/** As they are now: what was switched off or changed since the request began is no longer asked about. */
async function partiesOf(
  ctx: Ctx,
  login: LoginRequest,
): Promise<{ client: Client; mcpServer: McpServer | undefined } | undefined> {
  const { mcpServerId, clientId, redirectUri } = login;
  const mcpServer = mcpServerId === undefined ? undefined : await findMcpServer(ctx, mcpServerId);
  if (mcpServerId !== undefined && !isServing(mcpServer)) return undefined;
  const use = { mcpServer, purpose: 'authorize' } as const;
  const found = await resolveClient(ctx, clientId, use);
  if (found.kind !== 'found') return undefined;
  const { client } = found;
  const isRegistered = matchRedirectUri(client.redirectUris, redirectUri) !== undefined;
  return isRegistered ? { client, mcpServer } : undefined;
}

function resourceOf({ id, name, description, logoUri, serverUrl }: McpServer) {
  return {
    id,
    name,
    description,
    resourceType: ResourceType.MCP_SERVER,
    logoUri: logoUri ?? '',
    resourceUri: serverUrl ?? '',
    resourceId: serverUrl ?? '',
  };
}

/** A logo of a stranger's says that the page is somebody else's: it is shown as little as on our own page (AS-126). */
async function clientOf(
  ctx: Ctx,
  client: Client,
  redirectUri: string,
  mcpServer: McpServer | undefined,
) {
  const trust = await trustOf(ctx, client, redirectUri, { mcpServer });
  const logo = trustColour(trust) === 'green' ? await logoPath(ctx, client) : undefined;
  return {
    name: client.name,
    clientId: client.id,
    metadataUri: client.registration === 'metadata-document' ? client.id : '',
    privacyUri: client.metadata.policyUri ?? '',
    tosUri: client.metadata.tosUri ?? '',
    logoUri: logo === undefined ? '' : `${ctx.issuer}${logo}`,
  };
}

function describe(scope: string, mcpServer: McpServer | undefined): string {
  return mcpServer?.scopes.find(({ name }) => name === scope)?.description ?? '';
}

function nothingPending(): ApiError {
  return new ApiError('not_found', 'CONSENT_NOT_PENDING', 'nobody is asked for consent here');
}
