import { audienceProblem } from '../../clients/audiences.ts';
import type { Client } from '../../clients/clients.ts';
import { recordFor } from '../../events/events.ts';
import { isMembers } from '../../interceptors/ask-interceptor.ts';
import { intercept } from '../../interceptors/intercept.ts';
import type { Ctx } from '../../runtime/context.ts';
import { type CustomClaims, customClaimsFrom } from '../custom-claims.ts';
import { OAuthError } from '../oauth-error.ts';
import { formatScope, parseScope } from '../scope.ts';

/** What a token of an organization's machine is about to say. */
export type MachineClaims = {
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly customClaims: CustomClaims;
};

/**
 * Asks the application before a machine of one of its organizations gets a token (FSA-86, FSA-87). What it answers may take scopes
 * away, set another audience within the rules of AS-148 and add custom claims within those of AS-151; whatever goes further is
 * left out, and the log says so.
 *
 * @throws {OAuthError} access_denied: it refuses, or it did not answer and that means no
 */
export async function interceptMachineToken(
  ctx: Ctx,
  client: Client,
  planned: MachineClaims,
): Promise<MachineClaims> {
  const { organizationId } = client;
  const verdict = await intercept(ctx, 'PRE_M2M_TOKEN_CREATION', () => ({
    context: { client_id: client.id, organization_id: organizationId, device_type: 'Unknown' },
    data: {
      m2m_token_claims: {
        client_id: client.id,
        claims: {
          oid: organizationId,
          scope: formatScope(planned.scopes),
          scopes: planned.scopes,
          aud: planned.audience,
          custom_claims: planned.customClaims,
        },
      },
    },
  }));
  if (verdict.kind === 'deny')
    throw new OAuthError('access_denied', 'the application refuses a token for this client', {
      detail: 'interceptor',
    });
  let claims = planned;
  const ignored: string[] = [];
  for (const response of verdict.responses) {
    const given = response['claims'];
    if (isMembers(given)) claims = await withAnswer(ctx, claims, Object.entries(given), ignored);
  }
  if (ignored.length > 0)
    await recordFor(ctx, {
      type: 'interceptor.claims_ignored',
      outcome: 'failure',
      reason: ignored.includes('scope') ? 'interceptor_scope_widening' : 'interceptor_claims',
      clientId: client.id,
      organizationId,
      data: { claims: [...new Set(ignored)].slice(0, 50) },
    });
  return claims;
}

async function withAnswer(
  ctx: Ctx,
  current: MachineClaims,
  given: readonly (readonly [string, unknown])[],
  ignored: string[],
): Promise<MachineClaims> {
  let { scopes, audience } = current;
  const custom: Record<string, unknown> = { ...current.customClaims };
  for (const [name, value] of given) {
    if (name === 'scope' || name === 'scopes') {
      const wanted = textsOf(name === 'scope' ? parseScopes(value) : value);
      if (!wanted || wanted.some((scope) => !current.scopes.includes(scope))) ignored.push('scope');
      scopes = wanted ? scopes.filter((scope) => wanted.includes(scope)) : scopes;
    } else if (name === 'aud') {
      const wanted = textsOf(typeof value === 'string' ? [value] : value);
      if (wanted?.length && !(await audienceProblem(ctx, wanted))) audience = wanted;
      else ignored.push('aud');
    } else if (name === 'custom_claims' && isMembers(value)) {
      Object.assign(custom, Object.fromEntries(Object.entries(value)));
    } else custom[name] = value;
  }
  const allowed = customClaimsFrom(custom);
  ignored.push(...allowed.ignored);
  return { scopes, audience, customClaims: allowed.claims };
}

function parseScopes(value: unknown): readonly string[] | undefined {
  return typeof value === 'string' ? parseScope(value) : undefined;
}

function textsOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter((one): one is string => typeof one === 'string');
  return texts.length === value.length ? [...new Set(texts)] : undefined;
}
