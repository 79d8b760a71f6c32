import { createHash } from 'node:crypto';
import type { Client } from '../../clients/clients.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import type { Ctx } from '../../runtime/context.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';
import { seconds, type UnsignedJwt } from './access-token.ts';
import type { Authorization, Person } from './grant.ts';

/** Seconds. Clients read it once, when it arrives. */
const LIFETIME = 3600;

/**
 * An ID token before it is signed (OpenID Connect Core section 2, AS-120). It names the issuer of the flow, and has neither
 * `client_id` nor `scope` nor a `jti` of the access token's form, so that it never passes as one (AS-145).
 */
export function idToken(
  ctx: Ctx,
  at: Issuer,
  client: Client,
  authorization: Authorization,
  accessToken: string,
): UnsignedJwt | undefined {
  const { idToken: wanted, person, organizationId, scopes } = authorization;
  if (!wanted || !person) return undefined;
  const issuedAt = seconds(ctx.now());
  return {
    typ: TOKEN_KINDS.idToken,
    claims: {
      iss: at.issuer,
      sub: authorization.subject,
      aud: [client.id],
      azp: client.id,
      iat: issuedAt,
      exp: issuedAt + LIFETIME,
      auth_time: seconds(person.authenticatedAt),
      sid: person.sessionId,
      at_hash: halfHash(accessToken),
      ...(wanted.code === undefined ? {} : { c_hash: halfHash(wanted.code) }),
      ...(wanted.nonce === undefined ? {} : { nonce: wanted.nonce }),
      ...(organizationId === undefined ? {} : { org_id: organizationId, oid: organizationId }),
      // Applications get the profile whatever the scopes, as they did from the service they were written for.
      ...profileClaims(person, authorization.mcpServer ? scopes : ['profile', 'email']),
    },
  };
}

/** Claims that the scopes `profile` and `email` open (OpenID Connect Core section 5.4). */
export function profileClaims(
  person: Pick<Person, 'name' | 'email' | 'emailVerified'>,
  scopes: readonly string[],
): Record<string, unknown> {
  return {
    ...(scopes.includes('profile') && person.name !== '' ? { name: person.name } : {}),
    ...(scopes.includes('email') && person.email !== ''
      ? { email: person.email, email_verified: person.emailVerified }
      : {}),
  };
}

/** Left half of SHA-256, for RS256 (OpenID Connect Core section 3.1.3.6). */
function halfHash(value: string): string {
  return createHash('sha256').update(value).digest().subarray(0, 16).toString('base64url');
}
