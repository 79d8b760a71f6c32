import type { ClientResolution } from '../../clients/clients.ts';
import type { Problem } from '../../pages/error-problem.ts';
import type { Ctx } from '../../runtime/context.ts';

export type ClientProblem = { readonly problem: Problem; readonly retryAfterSeconds?: number };

/** The page that says why a client cannot be used here: never a redirect, never a link (AS-22). */
export function clientProblem(
  ctx: Pick<Ctx, 'config'>,
  found: Exclude<ClientResolution, { kind: 'found' }>,
  asked: { readonly clientId: string; readonly server: string },
): ClientProblem {
  const { clientId, server } = asked;
  switch (found.kind) {
    case 'unknown':
      return {
        problem: {
          kind: 'unknown-client',
          clientId,
          ...(found.tombstoneAt ? { deletedAt: found.tombstoneAt } : {}),
        },
      };
    case 'not-here':
      return { problem: { kind: 'unknown-client', clientId } };
    case 'switched-off':
      return { problem: { kind: 'documents-off', server, clientId } };
    case 'host-not-allowed':
      return { problem: { kind: 'client-host-not-allowed', server, host: found.host } };
    case 'unreachable':
      return {
        problem: {
          kind: 'document-failed',
          url: found.url,
          host: hostOf(found.url),
          ...(ctx.config.mode === 'dev' ? { reason: found.detail } : {}),
        },
      };
    case 'invalid-document':
      return {
        problem: {
          kind: 'document-failed',
          url: found.url,
          host: hostOf(found.url),
          reason: found.detail,
        },
      };
    case 'busy':
      return { problem: { kind: 'unavailable' }, retryAfterSeconds: found.retryAfterSeconds };
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url.slice(0, 100);
}
