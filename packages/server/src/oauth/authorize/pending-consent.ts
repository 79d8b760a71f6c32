import type { FastifyRequest } from 'fastify';
import type { Client } from '../../clients/client.ts';
import { isDocumentUrl } from '../../clients/client-id-metadata-document.ts';
import { resolveClient } from '../../clients/clients.ts';
import { sessionsOfRequest } from '../../login/browser.ts';
import type { LoginRequest } from '../../login/login-requests.store.ts';
import { factsOf, openLogin } from '../../login/login-requests.ts';
import { satisfies } from '../../login/next-step.ts';
import { PageError } from '../../login/page-error.ts';
import { findMcpServer, isServing, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import type { Session } from '../../sessions/sessions.ts';
import { findUser, type User } from '../../users/users.ts';
import type { AuthorizationRequest } from '../authorization-request.ts';
import { matchRedirectUri } from '../redirect-uri.ts';
import { type AnswerTo, environmentName } from './answer.ts';
import { clientProblem } from './client-problem.ts';
import { permittedScopes } from './permitted-scopes.ts';

/** A frozen request, in the browser that started it, with everything as it is at this moment. */
export type PendingConsent = {
  readonly login: LoginRequest;
  /** As frozen, without scopes that the server lost or a policy withholds since (AS-48). */
  readonly request: AuthorizationRequest;
  readonly client: Client;
  readonly mcpServer: McpServer | undefined;
  readonly to: AnswerTo;
  /** Who is signed in in this browser as the request wants it; absent: the sign-in pages come first. */
  readonly signedIn: { readonly session: Session; readonly user: User } | undefined;
};

/**
 * Opens a frozen request. The browser is compared before anything else (AS-30), then what the request depends on is read anew:
 * what was switched off or taken away while the person signed in gets neither a page nor a code.
 *
 * @throws {PageError} other browser, expired; client, redirect URI, server or resource not accepted any more
 */
export async function openPendingConsent(
  ctx: Ctx,
  http: FastifyRequest,
  id: string,
): Promise<PendingConsent> {
  const login = await openLogin(ctx, http, id);
  const frozen = frozenRequest(login);
  const mcpServer = await serverOf(ctx, login, frozen);
  const client = await clientOf(ctx, login, mcpServer);
  const { ownSignIn } = login.details;
  // Where people sign in was changed meanwhile: who signed in there is nobody here.
  if (mcpServer?.connectionId !== ownSignIn)
    throw new PageError(
      { kind: 'expired' },
      { ...factsOf(login), detail: 'sign-in of the server' },
    );
  const { current } = await sessionsOfRequest(ctx, http, ownSignIn);
  const wanted =
    current && (login.decision !== undefined || satisfies(login, current, ctx.now()))
      ? current
      : undefined;
  const user =
    wanted && (await findUser(ctx.db, { environmentId: ctx.environmentId, id: wanted.userId }));
  const signedIn = wanted && user?.enabled ? { session: wanted, user } : undefined;
  const scopes = await permittedScopes(ctx, frozen.scopes, {
    client,
    mcpServer,
    user: signedIn?.user,
  });
  return {
    login,
    request: { ...frozen, scopes },
    client,
    mcpServer,
    to: { client, redirectUri: login.redirectUri, issuer: login.issuer, state: frozen.state },
    signedIn,
  };
}

/** What `freeze` stored: this module's own type, written by this slice alone. */
function frozenRequest(login: LoginRequest): AuthorizationRequest {
  return login.details.parameters as AuthorizationRequest;
}

async function serverOf(
  ctx: Ctx,
  login: LoginRequest,
  request: AuthorizationRequest,
): Promise<McpServer | undefined> {
  if (login.mcpServerId === undefined) return undefined;
  const mcpServer = await findMcpServer(ctx, login.mcpServerId);
  if (!isServing(mcpServer)) throw new PageError({ kind: 'not-found' }, factsOf(login));
  const { settings, serverUrl } = mcpServer;
  // The operator takes no unregistered address any more, or has registered another one (AS-38).
  if (
    request.unregisteredResource &&
    (!settings.allowUnregisteredResource || serverUrl !== undefined)
  )
    throw new PageError({ kind: 'not-found' }, { ...factsOf(login), detail: 'resource' });
  return mcpServer;
}

async function clientOf(
  ctx: Ctx,
  login: LoginRequest,
  mcpServer: McpServer | undefined,
): Promise<Client> {
  const { clientId } = login;
  // Documents are judged by the server they are for, at E too (AS-80, AS-83).
  const judges = login.issuer !== ctx.issuer || isDocumentUrl(clientId) ? mcpServer : undefined;
  const found = await resolveClient(ctx, clientId, {
    ...(judges ? { mcpServer: judges } : {}),
    purpose: 'authorize',
  });
  if (found.kind !== 'found') {
    const server = mcpServer?.name ?? (await environmentName(ctx));
    throw new PageError(clientProblem(ctx, found, { clientId, server }).problem, factsOf(login));
  }
  const { client } = found;
  // What was taken out of the client while the person signed in must not get the code, nor an error (AS-22, AS-49).
  if (matchRedirectUri(client.redirectUris, login.redirectUri) === undefined)
    throw new PageError(
      {
        kind: 'redirect-uri-not-registered',
        clientName: client.name,
        clientId,
        received: login.redirectUri,
        registered: client.redirectUris,
      },
      factsOf(login),
    );
  if (!client.grantTypes.includes('authorization_code'))
    throw new PageError({ kind: 'unknown-client', clientId }, factsOf(login));
  return client;
}
