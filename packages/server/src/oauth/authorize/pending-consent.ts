import type { FastifyRequest } from 'fastify';
import type { Client } from '../../clients/client.ts';
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
import type { AnswerTo } from './answer.ts';

/** A frozen request, in the browser that started it, with everything as it is at this moment. */
export type PendingConsent = {
  readonly login: LoginRequest;
  readonly request: AuthorizationRequest;
  readonly client: Client;
  readonly mcpServer: McpServer | undefined;
  readonly to: AnswerTo;
  /** Who is signed in in this browser as the request wants it; absent: the sign-in pages come first. */
  readonly signedIn: { readonly session: Session; readonly user: User } | undefined;
};

/**
 * Opens a frozen request. The browser is compared before anything else (AS-30), then what the request depends on is read anew:
 * a client or server that was disabled in the meantime gets no consent page.
 *
 * @throws {PageError} other browser, expired, client or server gone
 */
export async function openPendingConsent(
  ctx: Ctx,
  http: FastifyRequest,
  id: string,
): Promise<PendingConsent> {
  const login = await openLogin(ctx, http, id);
  const request = frozenRequest(login);
  const mcpServer =
    login.mcpServerId === undefined ? undefined : await findMcpServer(ctx, login.mcpServerId);
  if (login.mcpServerId !== undefined && !isServing(mcpServer))
    throw new PageError({ kind: 'not-found' }, factsOf(login));
  const client = await clientOf(ctx, login, mcpServer);
  const { current } = await sessionsOfRequest(ctx, http);
  const wanted =
    current && (login.decision !== undefined || satisfies(login, current, ctx.now()))
      ? current
      : undefined;
  const user =
    wanted && (await findUser(ctx.db, { environmentId: ctx.environmentId, id: wanted.userId }));
  return {
    login,
    request,
    client,
    mcpServer,
    to: { client, redirectUri: login.redirectUri, issuer: login.issuer, state: request.state },
    signedIn: wanted && user?.enabled ? { session: wanted, user } : undefined,
  };
}

/** What `freeze` stored: this module's own type, written by this slice alone. */
function frozenRequest(login: LoginRequest): AuthorizationRequest {
  return login.details.parameters as AuthorizationRequest;
}

async function clientOf(
  ctx: Ctx,
  login: LoginRequest,
  mcpServer: McpServer | undefined,
): Promise<Client> {
  const atR = mcpServer !== undefined && login.issuer !== ctx.issuer;
  const found = await resolveClient(ctx, login.clientId, {
    ...(atR ? { mcpServer } : {}),
    purpose: 'authorize',
  });
  // A redirect URI that was taken out of the client while the person signed in must not get the code.
  if (found.kind === 'found') return found.client;
  throw new PageError({ kind: 'unknown-client', clientId: login.clientId }, factsOf(login));
}
