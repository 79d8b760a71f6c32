import type { LiveState } from '../../grants/live-state.store.ts';
import { revocationHandle } from '../../grants/revocation-handles.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import { isUniqueViolation } from '../../storage/db.ts';

const ID_ATTEMPTS = 5;

/** The handles of a person's token at one MCP server: the grant's, the person's, the client's (AS-124). */
export function handlesOf(
  mcpServer: McpServer | undefined,
  grantHandle: string,
  live: Pick<LiveState, 'userSecret' | 'clientSecret'>,
): string[] {
  if (!mcpServer) return [];
  return [
    grantHandle,
    revocationHandle(live.userSecret, mcpServer.id),
    revocationHandle(live.clientSecret, mcpServer.id),
  ];
}

/** Runs a statement whose new ids may be taken; `write` draws new ones each time. */
export async function retryIds<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      const taken =
        isUniqueViolation(error, 'grants_pkey') || isUniqueViolation(error, 'refresh_tokens_pkey');
      if (!taken || attempt >= ID_ATTEMPTS) throw error;
    }
  }
}
