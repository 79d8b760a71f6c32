import type { FastifyRequest } from 'fastify';
import { readCookie } from '../http/cookies.ts';
import { edgeIfAny, requestHost } from '../http/edge.ts';
import { readQuery } from '../http/forms.ts';
import { isLoopbackHost } from '../runtime/config.ts';
import type { App } from '../runtime/context.ts';
import { equalSecrets } from '../runtime/hash.ts';

/** Cookie that carries the printed token from the mailbox to the sign-in pages. */
export const EXPOSE_COOKIE = 'expose';

/**
 * Why a request may not use what exists for development only: the mailbox and static codes (AS-152). The host must be this
 * machine or the configured one (a rebound name is neither), no other site may be asking, and a server that listens beyond
 * this machine wants the token it printed.
 */
export function developmentRefusal(
  app: Pick<App, 'config'>,
  request: FastifyRequest,
): 'not-development' | 'host' | 'origin' | 'token' | undefined {
  if (app.config.mode !== 'dev') return 'not-development';
  const host = requestHost(request);
  // The host check has found this environment by the host itself.
  const own = new URL(edgeIfAny(request)?.issuer ?? app.config.url);
  if (host === undefined || !(host === own.host || isLoopbackHost(hostWithoutPort(host)))) {
    return 'host';
  }
  const { origin } = request.headers;
  if (origin !== undefined && origin !== own.origin && origin !== `${own.protocol}//${host}`) {
    return 'origin';
  }
  const site = request.headers['sec-fetch-site'];
  const isNavigation = request.headers['sec-fetch-dest'] === 'document';
  // A link in a chat or mail may lead here; a page elsewhere may not read it.
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation) {
    return 'origin';
  }
  const { exposeToken } = app.config;
  if (exposeToken === undefined) return undefined;
  return presentedTokens(request).some((token) => equalSecrets(token, exposeToken))
    ? undefined
    : 'token';
}

function presentedTokens(request: FastifyRequest): string[] {
  const bearer = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const query = readQuery(request).params['token'];
  const cookie = readCookie(request, EXPOSE_COOKIE);
  return [bearer, query, cookie].filter((token) => token !== undefined);
}

function hostWithoutPort(host: string): string {
  return host.replace(/:[0-9]+$/, '');
}
