import type { Client } from '../../clients/client.ts';
import { isTrustedRedirect } from '../../clients/trust.ts';
import { environmentOf } from '../../environments/environments.ts';
import type { Ctx } from '../../runtime/context.ts';
import type { OAuthErrorCode } from '../oauth-error.ts';
import { withParameters } from '../redirect-uri.ts';

const LONGEST_WITHOUT_ISSUER_MS = 30 * 86_400_000;

/** Where an answer of the authorization endpoint goes. */
export type AnswerTo = {
  readonly client: Client;
  /** Proven: equal to a registered one. */
  readonly redirectUri: string;
  readonly issuer: string;
  readonly state: string | undefined;
};

export type AnswerParameters =
  | { readonly code: string }
  | { readonly error: OAuthErrorCode; readonly error_description: string };

/**
 * The redirect that carries an answer (RFC 6749 section 4.1.2): the client's `state` unchanged if it sent one, and `iss`
 * exactly once (RFC 9207 section 2, AS-6), success or error.
 */
export function answerUri(
  ctx: Pick<Ctx, 'now'>,
  to: AnswerTo,
  parameters: AnswerParameters,
): string {
  return withParameters(to.redirectUri, {
    ...parameters,
    state: to.state,
    iss: omitsIssuer(ctx, to.client) ? undefined : to.issuer,
  });
}

/** The emergency switch for one client that breaks on `iss` ends by itself; one set for longer than that was never meant. */
function omitsIssuer(ctx: Pick<Ctx, 'now'>, client: Client): boolean {
  const until = client.settings.omitIssUntil;
  if (until === undefined) return false;
  const left = Date.parse(until) - ctx.now().getTime();
  return left > 0 && left <= LONGEST_WITHOUT_ISSUER_MS;
}

/** Whether an error may travel to this redirect URI without the person having agreed (AS-144). */
export async function mayRedirectError(
  ctx: Ctx,
  to: Pick<AnswerTo, 'client' | 'redirectUri'>,
  userId: string | undefined,
): Promise<boolean> {
  return await isTrustedRedirect(
    ctx,
    to.client,
    to.redirectUri,
    userId === undefined ? {} : { liveGrantOf: userId },
  );
}

/** Name shown for the place a flow leads to when no MCP server is involved. */
export async function environmentName(ctx: Ctx): Promise<string> {
  const environment = await environmentOf(ctx);
  return environment.settings.operatorName ?? environment.displayName;
}
