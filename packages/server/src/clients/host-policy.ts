import type { Environment } from '../environments/environments.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';

/**
 * Whether documents of a host may be clients (AS-80): on no block list, and on the allow list where there is one, of the
 * environment as well as of the server. An entry covers its subdomains when it starts with a period.
 */
export function isHostAllowed(
  host: string,
  environment: Environment,
  mcpServer: McpServer | undefined,
): boolean {
  return [environment.settings, mcpServer?.settings].every(
    (policy) =>
      policy === undefined ||
      (!policy.blockedClientHosts.some((entry) => covers(entry, host)) &&
        (policy.allowedClientHosts.length === 0 ||
          policy.allowedClientHosts.some((entry) => covers(entry, host)))),
  );
}

function covers(entry: string, host: string): boolean {
  const wanted = entry.toLowerCase();
  return wanted.startsWith('.')
    ? host.endsWith(wanted) || host === wanted.slice(1)
    : host === wanted;
}
