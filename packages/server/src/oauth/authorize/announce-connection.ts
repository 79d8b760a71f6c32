import { queueMail } from '../../email/mails.ts';
import { listConsents } from '../../grants/consents.store.ts';
import { connectedMail } from '../../pages/mails.ts';
import { negotiateLocale } from '../../pages/messages.ts';
import { redirectTarget } from '../../pages/redirect-target.ts';
import type { Ctx } from '../../runtime/context.ts';
import type { User } from '../../users/users.ts';
import { wellKnownByDocument, wellKnownByRedirectHost } from '../well-known-clients.ts';
import type { PendingConsent } from './pending-consent.ts';

const MAIL_LIVES_MS = 86_400_000;

/** Whether this person has no live consent for this client at this server yet. Asked before the new one is written. */
export async function isFirstConnection(
  ctx: Ctx,
  pending: PendingConsent,
  user: User,
): Promise<boolean> {
  const { client, mcpServer } = pending;
  if (!mcpServer) return false;
  const earlier = await listConsents(ctx.db, {
    environmentId: ctx.environmentId,
    userId: user.id,
    clientId: client.id,
    mcpServerId: mcpServer.id,
    limit: 1,
  });
  return earlier.length === 0;
}

/** Tells a person by mail that a client which is not well known was connected in their name for the first time (AS-154). */
export async function announceConnection(
  ctx: Ctx,
  pending: PendingConsent,
  user: User,
  scopes: readonly string[],
): Promise<void> {
  const { client, login, mcpServer, request } = pending;
  if (!mcpServer || isWellKnown(client.id, login.redirectUri)) return;
  const mail = connectedMail({
    locale: negotiateLocale({ uiLocales: request.uiLocales }),
    clientName: client.name,
    server: mcpServer.name,
    redirect: redirectTarget(login.redirectUri),
    email: user.email,
    permissions: mcpServer.scopes
      .filter((scope) => scopes.includes(scope.name))
      .map((scope) => scope.title || scope.name),
    time: ctx.now(),
    reference: ctx.requestId,
  });
  await queueMail(ctx, {
    to: user.email,
    mail,
    expiresAt: new Date(ctx.now().getTime() + MAIL_LIVES_MS),
    send: true,
  });
}

/** By its metadata document or by the host that receives the code: names prove nothing. */
function isWellKnown(clientId: string, redirectUri: string): boolean {
  if (URL.canParse(clientId) && wellKnownByDocument(new URL(clientId))) return true;
  const target = redirectTarget(redirectUri);
  return (
    target.kind === 'web' &&
    target.port === undefined &&
    wellKnownByRedirectHost(target.host) !== undefined
  );
}
