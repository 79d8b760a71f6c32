import type { ProofFault } from './dpop.ts';
import type { RefusalReason } from './errors.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest } from './request.ts';

/** Tells the operator why a token was refused. Ids of a refused token are unproven words of a stranger: cut and cleaned (RS-29). */
export function tokenRefused(
  server: McpServer,
  reason: RefusalReason | `proof_${ProofFault}`,
  claims: Readonly<Record<string, unknown>> | undefined,
): void {
  server.runtime.log({
    level: 'info',
    event: 'token_refused',
    message: 'an access token was refused',
    reason,
    ...named('tokenId', claims?.['jti']),
    ...named('subject', claims?.['sub']),
    ...named('clientId', claims?.['client_id']),
  });
}

/** Tells the operator what went wrong in a rule or in here: stack and all, but not the token (RS-29). */
export function decisionFailed(server: McpServer, request: GuardRequest, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const secrets = request.header('authorization').flatMap((value) => value.split(' ').slice(1));
  server.runtime.log({
    level: 'warn',
    event: 'decision_failed',
    message: `a request was refused because deciding about it failed: ${secrets.reduce(withoutSecret, text)}`,
  });
}

function withoutSecret(text: string, secret: string): string {
  return secret === '' ? text : text.replaceAll(secret, '[token]');
}

function named<Name extends string>(
  name: Name,
  value: unknown,
): { [key in Name]?: string } | object {
  return typeof value === 'string'
    ? { [name]: value.replace(/[^\x21-\x7e]/g, '').slice(0, 64) }
    : {};
}

const warnedAt = new WeakMap<McpServer, number>();

/** A token in a query is in the log of every proxy it passed (RS-9). Said once a minute at most: anybody can cause it. */
export function warnAboutQueryToken(server: McpServer): void {
  const now = server.runtime.now().getTime();
  const last = warnedAt.get(server);
  if (last !== undefined && now >= last && now - last < 60_000) return;
  warnedAt.set(server, now);
  server.runtime.log({
    level: 'warn',
    event: 'token_in_query',
    message: 'a client sent an access token in the query; it was ignored',
  });
}
