import { invalidToken, unavailable } from './answers.ts';
import { invalidProof } from './dpop-answers.ts';
import type { RefusalReason } from './errors.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest, Respond } from './request.ts';
import { isRecord } from './strict-json.ts';
import { tokenRefused } from './token-events.ts';

type Presented = { readonly token: string; readonly scheme: 'bearer' | 'dpop' };
type Claims = Readonly<Record<string, unknown>>;

/**
 * Whether the caller may use a valid token: one that is bound to a key only with a proof of that key, in
 * the scheme DPoP (RFC 9449 §7.1), and never as Bearer, however good the rest of the request is (§7.2). An
 * unbound one never in the scheme DPoP, and not at all where proofs are demanded.
 */
export async function checkBinding(
  server: McpServer,
  request: GuardRequest,
  { token, scheme }: Presented,
  claims: Claims,
): Promise<Respond | undefined> {
  const refuse = (reason: RefusalReason): Respond => {
    tokenRefused(server, reason, claims);
    return invalidToken(server, reason);
  };
  const bound = boundKey(claims);
  if (bound === 'unbound')
    return scheme === 'dpop' || server.dpop?.required ? refuse('not_bound') : undefined;
  if (bound === 'unknown' || scheme !== 'dpop' || !server.dpop) return refuse('sender_constrained');
  const outcome = await server.dpop.check(request, token, bound.thumbprint);
  switch (outcome.kind) {
    case 'valid':
      return undefined;
    case 'other_key':
      return refuse('sender_constrained');
    case 'unavailable':
      return unavailable(outcome.retryAfterSeconds);
    case 'refused':
      tokenRefused(server, `proof_${outcome.fault}`, claims);
      return invalidProof(server, outcome.fault);
  }
}

/** `cnf.jkt`: the key a token is bound to (RFC 9449 §6.1). Any other kind of binding cannot be checked here. */
function boundKey({ cnf }: Claims): { readonly thumbprint: string } | 'unbound' | 'unknown' {
  if (cnf === undefined) return 'unbound';
  const only = isRecord(cnf) && Object.keys(cnf).length === 1 ? cnf['jkt'] : undefined;
  return typeof only === 'string' && only !== '' ? { thumbprint: only } : 'unknown';
}
