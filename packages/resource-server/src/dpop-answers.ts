import { challengeText } from './answers.ts';
import { type ProofFault, proofAlgorithms } from './dpop.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest, Respond } from './request.ts';

const descriptions: Readonly<Record<ProofFault, string>> = {
  missing: 'The request has no DPoP proof',
  repeated: 'The request has more than one DPoP proof',
  malformed: 'The DPoP proof is malformed',
  algorithm: 'The DPoP proof is signed with an algorithm this server does not accept',
  key: 'The DPoP proof has no usable public key',
  method: 'The DPoP proof was made for another method',
  url: 'The DPoP proof was made for another URL',
  token: 'The DPoP proof was made for another access token',
  time: 'The DPoP proof is too old, or from the future',
  signature: 'The signature of the DPoP proof is not valid',
  replayed: 'The DPoP proof was used before',
};

/** 401: the token may be good, its proof is not (RFC 9449 §7.1). Nothing of the proof is echoed. */
export function invalidProof(server: McpServer, fault: ProofFault): Respond {
  const error = 'invalid_dpop_proof';
  const description = descriptions[fault];
  return {
    kind: 'respond',
    status: 401,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'www-authenticate': challengeText({
        realm: server.realm,
        error,
        error_description: description,
        scope: server.rules.base.join(' '),
        resource_metadata: server.metadataUrl,
      }),
    },
    body: JSON.stringify({ error, error_description: description }),
  };
}

/**
 * Says a refusal in the scheme that its caller can use (RFC 9449 §7.1, RFC 9110 §11.6.1): where proofs are
 * demanded, or one was sent, the challenge is DPoP's. Where they are optional, DPoP is offered behind the
 * Bearer challenge, which stays first for clients that read no further. Unchanged where DPoP is off.
 */
export function withDpopChallenge(
  server: McpServer,
  request: GuardRequest,
  answer: Respond,
): Respond {
  const bearer = answer.headers['www-authenticate'];
  if (!server.dpop || bearer === undefined) return answer;
  const algs = `algs="${proofAlgorithms.join(' ')}"`;
  const challenge =
    server.dpop.required || usesDpop(request)
      ? `${bearer.replace(/^Bearer/, 'DPoP')}, ${algs}`
      : `${bearer}, DPoP ${algs}`;
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': challenge } };
}

function usesDpop(request: GuardRequest): boolean {
  const values = request.header('authorization');
  return values.length > 0 && values.every((value) => /^dpop(?: |$)/i.test(value));
}
