import type { Ctx } from '../runtime/context.ts';
import { issuerOf, type McpServer } from './mcp-servers.ts';

/**
 * The protected resource metadata (RFC 9728) that the operator pastes into the MCP server: what the wire contract calls
 * `protected_metadata`. Without a Server URL the resource is named by the server's issuer.
 */
export function protectedResourceMetadata(
  ctx: Pick<Ctx, 'issuer'>,
  server: McpServer,
): Record<string, unknown> {
  const issuer = issuerOf(ctx, server);
  const documentation = server.settings.serviceDocumentation;
  return {
    resource: server.serverUrl ?? issuer,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    ...(server.name === '' ? {} : { resource_name: server.name }),
    ...(server.scopes.length === 0
      ? {}
      : { scopes_supported: server.scopes.map((scope) => scope.name) }),
    ...(documentation === undefined ? {} : { resource_documentation: documentation }),
  };
}

/** Where the MCP server should serve that document (RFC 9728 section 3.1): the path of the Server URL stands behind the well-known one. */
export function protectedResourceMetadataUrl(server: McpServer): string | undefined {
  const parts = /^([a-z]+:\/\/[^/]+)(\/.*)?$/i.exec(server.serverUrl ?? '');
  if (!parts) return undefined;
  const [, origin = '', path = ''] = parts;
  return `${origin}/.well-known/oauth-protected-resource${path === '/' ? '' : path}`;
}
