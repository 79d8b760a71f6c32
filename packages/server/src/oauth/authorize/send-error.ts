import type { FastifyReply } from 'fastify';
import { logFailure } from '../../login/auth-requests.ts';
import { factsOf } from '../../login/login-requests.ts';
import { PageError } from '../../login/page-error.ts';
import { seeOther } from '../../login/page-reply.ts';
import { redirectTarget } from '../../pages/redirect-target.ts';
import type { Ctx } from '../../runtime/context.ts';
import type { OAuthErrorCode } from '../oauth-error.ts';
import { answerUri, mayRedirectError } from './answer.ts';
import type { PendingConsent } from './pending-consent.ts';

/** Sends the client an error of the authorization endpoint, and writes it down; to a client that is not trusted by a link (AS-144). */
export async function sendError(
  ctx: Ctx,
  reply: FastifyReply,
  pending: PendingConsent,
  code: OAuthErrorCode,
  description: string,
): Promise<FastifyReply> {
  await logFailure(ctx, pending.login, {
    type: 'authorization.refused',
    reason: code,
    userId: pending.signedIn?.user.id,
  });
  const returnUrl = answerUri(ctx, pending.to, { error: code, error_description: description });
  if (await mayRedirectError(ctx, pending.to, pending.signedIn?.user.id))
    return seeOther(reply, returnUrl);
  const redirect = redirectTarget(pending.login.redirectUri);
  throw new PageError(
    {
      kind: 'untrusted-client',
      clientName: pending.client.name,
      redirect,
      code,
      description,
      ...(redirect.kind === 'web' ? { returnUrl } : {}),
    },
    factsOf(pending.login),
  );
}
