import type { McpServer } from '../../mcp/mcp-servers.ts';
import { isOpenIdScope } from '../scope.ts';

export type RequestedScopes = {
  readonly scopes: string[];
  readonly openIdScopes: string[] /** For the timeline: asked for, and not known here. */;
  readonly unknown: string[];
};

/**
 * What of the requested scopes this MCP server knows (AS-42). When nothing of its own is left, the server's default scopes
 * stand in (AS-43, AS-44): clients ask for what other servers define, or for nothing.
 */
export function requestedScopes(
  requested: readonly string[],
  mcpServer: McpServer | undefined,
): RequestedScopes {
  const known = mcpServer?.scopes ?? [];
  const named = known.filter((scope) => requested.includes(scope.name)).map((scope) => scope.name);
  return {
    scopes:
      named.length > 0
        ? named
        : known.filter((scope) => scope.isDefault).map((scope) => scope.name),
    openIdScopes: requested.filter(isOpenIdScope),
    unknown: requested.filter(
      (scope) => !isOpenIdScope(scope) && !known.some((candidate) => candidate.name === scope),
    ),
  };
}
