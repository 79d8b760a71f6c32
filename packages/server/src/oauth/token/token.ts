import { authenticateClient } from '../../clients/client-authentication.ts';
import { type Client, recordableClientId } from '../../clients/clients.ts';
import { eventOf } from '../../events/events.ts';
import type { AuthMethod } from '../../grants/grants.store.ts';
import type { Parameters } from '../../http/forms.ts';
import { signJwt } from '../../keys/signing-keys.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import { isServing } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { newId } from '../../runtime/ids.ts';
import { OAuthError } from '../oauth-error.ts';
import { formatScope } from '../scope.ts';
import { accessToken } from './access-token.ts';
import { oauthErrorFrom } from './answers.ts';
import { authorizationCodeGrant } from './authorization-code.ts';
import { clientCredentialsGrant } from './client-credentials.ts';
import {
  type Authorization,
  facts,
  type GrantType,
  refuseRepeated,
  required,
  type Trail,
} from './grant.ts';
import { idToken } from './id-token.ts';
import { refreshTokenGrant } from './refresh-token.ts';
import { recordRefusal } from './refusals.ts';

/** Every grant that is offered. */
const GRANTS: readonly GrantType[] = [
  authorizationCodeGrant,
  refreshTokenGrant,
  clientCredentialsGrant,
];

/** Without these nobody can tell who asks for what. Other repetitions wait until the state of code or token is known (AS-96, AS-110). */
const DECISIVE = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'code',
  'refresh_token',
];

export type TokenRequest = {
  readonly form: Parameters;
  readonly authorization: string | undefined;
};

/** RFC 6749 section 5.1. Members that do not apply are absent (AS-90); `scope` is always there (AS-45). */
export type TokenResponse = {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
  readonly scope: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
};

/**
 * The token endpoint of one issuer (RFC 6749 section 3.2). What every grant needs happens here, so that no grant can forget it.
 *
 * @throws {OAuthError} every refusal, after it has been recorded (AS-140)
 */
export async function token(ctx: Ctx, at: Issuer, request: TokenRequest): Promise<TokenResponse> {
  const trail: Trail = {
    clientId: recordableClientId(request.form.params['client_id']),
    mcpServerId: at.mcpServer?.id,
  };
  try {
    const response = await answer(ctx, at, request, trail);
    ctx.metrics.count('gatewarden_tokens_total', {
      grant: trail.grantType ?? 'none',
      outcome: 'issued',
    });
    return response;
  } catch (error) {
    const refusal = oauthErrorFrom(error);
    ctx.metrics.count('gatewarden_tokens_total', {
      grant: trail.grantType ?? 'none',
      outcome: refusal?.code ?? 'server_error',
    });
    if (refusal && refusal.status < 500) throw await recordRefusal(ctx, refusal, trail);
    throw error;
  }
}

async function answer(
  ctx: Ctx,
  at: Issuer,
  { form, authorization: header }: TokenRequest,
  trail: Trail,
): Promise<TokenResponse> {
  if (at.mcpServer && !isServing(at.mcpServer))
    throw new OAuthError('invalid_request', 'this MCP server is switched off'); // AS-13
  refuseRepeated(form, DECISIVE);
  const grantType = required(form, 'grant_type');
  const { client, method } = await authenticateClient(
    ctx,
    { form: form.params, authorization: header },
    whereOf(at, 'token'),
  );
  trail.clientId = client.id;
  const grant = selectGrant(grantType, client, method);
  trail.grantType = grant.name;
  const authorization = await grant.authorize(ctx, { at, client, method, form, trail });
  return await issue(ctx, at, client, authorization, trail);
}

/** @throws {OAuthError} unsupported_grant_type, unauthorized_client (AS-88) */
function selectGrant(name: string, client: Client, method: AuthMethod): GrantType {
  const grant = GRANTS.find((candidate) => candidate.name === name);
  if (!grant) throw new OAuthError('unsupported_grant_type', 'this grant type is not offered');
  if (!grant.allows(client, method))
    throw new OAuthError('unauthorized_client', 'the client may not use this grant type');
  return grant;
}

/** Signs first: when no key can sign, nothing has been used up yet and the client may come again (AS-89). */
async function issue(
  ctx: Ctx,
  at: Issuer,
  client: Client,
  authorization: Authorization,
  trail: Trail,
): Promise<TokenResponse> {
  const jti = newId(ctx, 'tkn');
  const access = await signJwt(ctx, accessToken(ctx, client, authorization, jti));
  const unsigned = idToken(ctx, at, client, authorization, access);
  const id = unsigned && (await signJwt(ctx, unsigned));
  const scope = formatScope(authorization.scopes);
  const { refreshToken } = await authorization.commit(
    eventOf(ctx, {
      ...facts(trail),
      type: 'token.issued',
      data: {
        grantType: trail.grantType,
        jti,
        scope,
        audience: authorization.audience,
        expiresIn: authorization.lifetimeSeconds,
        issuer: at.issuer,
      },
    }),
  );
  return {
    access_token: access,
    token_type: 'Bearer',
    expires_in: authorization.lifetimeSeconds,
    scope,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(id === undefined ? {} : { id_token: id }),
  };
}

/** Where a client authenticates, as the checks of its credentials need it. */
export function whereOf(
  at: Issuer,
  endpoint: string,
): { issuer: string; mcpServer?: NonNullable<Issuer['mcpServer']>; endpoint: string } {
  return {
    issuer: at.issuer,
    ...(at.mcpServer ? { mcpServer: at.mcpServer } : {}),
    endpoint: `${at.issuer}/oauth/${endpoint}`,
  };
}
