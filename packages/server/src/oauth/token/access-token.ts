import type { Client } from '../../clients/clients.ts';
import { issuerOf } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { type CustomClaims, customClaimsFrom } from '../custom-claims.ts';
import { formatScope } from '../scope.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';
import type { Authorization } from './grant.ts';

export type UnsignedJwt = {
  readonly typ: string;
  readonly claims: Readonly<Record<string, unknown>>;
};

/** Whole seconds; what has no value is an absent member. */
export function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/**
 * An access token before it is signed (RFC 9068, AS-115 to AS-119). `iss` is E unless the MCP server says otherwise; `scope` and
 * `scopes` say the same, because verifiers read one or the other; no `nbf`, which verifiers without leeway refuse; nothing about
 * the person beyond the id.
 */
export function accessToken(
  ctx: Ctx,
  client: Client,
  authorization: Authorization,
  jti: string,
): UnsignedJwt {
  const { mcpServer, person, organizationId, scopes } = authorization;
  const issuedAt = seconds(ctx.now()) - (mcpServer?.settings.iatBackdate ?? 0);
  return {
    typ: mcpServer?.settings.accessTokenTyp ?? TOKEN_KINDS.accessToken,
    claims: {
      // First, so that nothing of it can stand for what follows.
      ...partnerClaims(authorization),
      iss:
        mcpServer?.settings.accessTokenIssuer === 'resource'
          ? issuerOf(ctx, mcpServer)
          : ctx.issuer,
      sub: authorization.subject,
      ...(authorization.audience.length > 0 ? { aud: authorization.audience } : {}),
      client_id: client.id,
      azp: client.id,
      iat: issuedAt,
      exp: issuedAt + authorization.lifetimeSeconds,
      jti,
      scope: formatScope(scopes),
      scopes,
      ...(person
        ? { auth_time: seconds(person.authenticatedAt), sid: person.sessionId }
        : { gty: 'client-credentials' }),
      ...(authorization.revocationHandles.length > 0
        ? { rvk: authorization.revocationHandles }
        : {}),
      ...customClaimsOf(client, authorization),
      ...(organizationId === undefined ? {} : { org_id: organizationId, oid: organizationId }),
    },
  };
}

/** What an application's own login said: attributes by their own names, and what has a name in the standards (AS-116, SSO-67). */
function partnerClaims({ partner }: Authorization): Readonly<Record<string, unknown>> {
  if (!partner) return {};
  const { subject, roles, groups, organization, attributes } = partner;
  return {
    ...customClaimsFrom(attributes).claims,
    ext_sub: subject,
    ...(roles.length > 0 ? { roles } : {}),
    ...(groups.length > 0 ? { groups } : {}),
    ...(organization === undefined ? {} : { xoid: organization }),
  };
}

/**
 * What an administrator set for an application or an organization's machine, and what interceptors said about this token, who
 * have the last word. In one member, so that it stands for no other.
 */
function customClaimsOf(
  { settings }: Client,
  { mcpServer, customClaims }: Authorization,
): { custom_claims?: CustomClaims } {
  const claims = { ...(mcpServer === undefined ? settings.customClaims : {}), ...customClaims };
  return Object.keys(claims).length === 0 ? {} : { custom_claims: claims };
}
