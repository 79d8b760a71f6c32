import type { FastifyRequest } from 'fastify';
import type { Problem } from './http/problem.ts';
import { KeyStoreUnavailable } from './keys/signing-keys.ts';
import { OAuthError } from './oauth/oauth-error.ts';
import { errorPage } from './pages/error-page.ts';
import type { Problem as PageProblem } from './pages/error-problem.ts';
import { negotiateLocale } from './pages/messages.ts';
import type { App } from './runtime/context.ts';

/** What the protocols' own errors look like on the wire; everything else is the HTTP edge's to explain. */
export function explainError(error: unknown): Problem | undefined {
  if (error instanceof OAuthError)
    return {
      status: error.status,
      error: error.code,
      description: error.description,
      headers: error.headers,
    };
  // Keys that cannot be read are our trouble and no client's fault (AS-89).
  if (error instanceof KeyStoreUnavailable)
    return {
      status: 503,
      error: 'temporarily_unavailable',
      description: 'the service is not available at the moment',
      headers: { 'retry-after': '5' },
    };
  return undefined;
}

/** An error that no page handled, as a page: it must work without a database. */
export function renderProblem(
  app: App,
  problem: Problem & { readonly reference: string },
  request: FastifyRequest,
): string {
  const shown = pageProblem(problem);
  const page = errorPage(
    {
      locale: negotiateLocale({ acceptLanguage: request.headers['accept-language'] }),
      reference: problem.reference,
      brand: { name: 'Gatewarden' },
    },
    {
      problem: shown,
      mode: app.config.mode === 'dev' ? 'development' : 'production',
      time: app.now(),
    },
  );
  return page.toString();
}

function pageProblem(problem: Problem): PageProblem {
  const seconds = Number(problem.headers?.['retry-after'] ?? 30);
  if (problem.status === 429) return { kind: 'too-many-requests', seconds };
  if (problem.status === 503) return { kind: 'unavailable' };
  if (problem.status === 404 || problem.status === 405) return { kind: 'not-found' };
  if (problem.status === 403) return { kind: 'forbidden' };
  return problem.status >= 500 ? { kind: 'unexpected' } : { kind: 'no-context' };
}
