import type { McpAuth } from './auth.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest, ResponseDuties } from './request.ts';

/** What is left to do while this request is answered. `body` is what was checked; undefined without one. */
export function responseDuties(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
): ResponseDuties {
  return {
    started: () => undefined,
    endAfterMs: server.closeStreamOnExpiry ? endOfStream(server, request, auth) : undefined,
    rewrite: undefined,
  };
}

const marginMs = 60_000;

/**
 * A stream ends a minute before its token, so that the client has renewed it when it comes back (RS-49). One
 * that was opened within that minute ends with the token, or the client would open it over and over.
 */
function endOfStream(server: McpServer, request: GuardRequest, auth: McpAuth): number | undefined {
  if (request.method !== 'GET') return undefined;
  const leftMs = auth.expiresAt * 1_000 - server.runtime.now().getTime();
  return Math.max(leftMs > marginMs ? leftMs - marginMs : leftMs, 0);
}
