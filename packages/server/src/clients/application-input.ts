import type { Ctx } from '../runtime/context.ts';
import {
  type ApplicationType,
  type ApplicationUris,
  applicationUriProblem,
} from './application-uris.ts';
import type { Client, ClientSettings } from './client.ts';
import type { ClientInput, InvalidMember } from './client-input.ts';
import {
  claimsByName,
  customClaimsProblem,
  lifetimeProblem,
  scopeProblem,
} from './machine-input.ts';

/** What was said about an application; absent members stay as they are. */
export type ApplicationInput = ApplicationUris & {
  readonly name?: string | undefined;
  readonly accessTokenExpiry?: bigint | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly customClaims?: readonly { readonly key: string; readonly value: string }[] | undefined;
  readonly disallowApi?: boolean | undefined;
  readonly grantTypes?: readonly string[] | undefined;
  readonly enforcePkce?: boolean | undefined;
};

/** Applications that keep no secret: in a browser or on a device. */
export function isPublicType(type: ApplicationType): boolean {
  return type === 'SPA' || type === 'NTV';
}

/** The first member that an application of this type cannot have. */
export async function applicationProblem(
  ctx: Ctx,
  type: ApplicationType,
  input: ApplicationInput,
): Promise<InvalidMember | undefined> {
  return (
    switchProblem(type, input) ??
    grantProblem(type, input) ??
    scopeProblem(input.scopes ?? []) ??
    customClaimsProblem(input.customClaims ?? []) ??
    lifetimeProblem('access_token_expiry', input.accessTokenExpiry ?? 0n) ??
    (await applicationUriProblem(ctx, type, input))
  );
}

function switchProblem(
  type: ApplicationType,
  { disallowApi, enforcePkce }: ApplicationInput,
): InvalidMember | undefined {
  const api = (description: string): InvalidMember => ({
    kind: 'invalid',
    field: 'disallow_scalekit_api_access',
    description,
  });
  if (isPublicType(type) && disallowApi === false)
    return api('a client without a secret cannot call this API');
  if (type === 'ENV' && disallowApi === true)
    return api("the environment's own client is there to call this API");
  if (isPublicType(type) && enforcePkce === false)
    return {
      kind: 'invalid',
      field: 'enforce_pkce',
      description: 'a client without a secret always uses PKCE',
    };
  return undefined;
}

/** `client_credentials` comes and goes with the access to this API, and need not be named. */
function grantProblem(
  type: ApplicationType,
  { grantTypes = [] }: ApplicationInput,
): InvalidMember | undefined {
  const known = ['authorization_code', 'refresh_token'];
  if (!isPublicType(type)) known.push('client_credentials');
  const index = grantTypes.findIndex((grant) => !known.includes(grant));
  if (index >= 0)
    return {
      kind: 'invalid',
      field: `grant_types[${index}]`,
      description: `must be one of ${known.join(', ')}`,
    };
  return undefined;
}

/** An application as it is stored, given what it was. */
export function applicationChanges(
  input: ApplicationInput,
  before?: Client,
): Partial<ClientInput> & { readonly settings: ClientSettings } {
  const managementApi =
    input.disallowApi === undefined ? (before?.managementApi ?? false) : !input.disallowApi;
  const grants = input.grantTypes ?? before?.grantTypes ?? ['authorization_code', 'refresh_token'];
  const others = grants.filter((grant) => grant !== 'client_credentials');
  return {
    ...(input.name === undefined ? {} : { name: input.name }),
    ...(input.postLoginUris === undefined ? {} : { redirectUris: input.postLoginUris }),
    ...(input.scopes === undefined ? {} : { scopes: [...new Set(input.scopes)] }),
    grantTypes: [...new Set(others), ...(managementApi ? ['client_credentials'] : [])],
    managementApi,
    settings: { ...before?.settings, ...settingsOf(input) },
  };
}

function settingsOf(input: ApplicationInput): ClientSettings {
  const { accessTokenExpiry, customClaims, enforcePkce, initiateLoginUri } = input;
  const { postLogoutRedirectUris, backChannelLogoutUris } = input;
  return {
    ...(postLogoutRedirectUris === undefined ? {} : { postLogoutRedirectUris }),
    ...(backChannelLogoutUris === undefined ? {} : { backChannelLogoutUris }),
    ...(initiateLoginUri === undefined ? {} : { initiateLoginUri: initiateLoginUri || undefined }),
    ...(enforcePkce === undefined ? {} : { enforcePkce }),
    ...(customClaims === undefined ? {} : { customClaims: claimsByName(customClaims) }),
    ...(accessTokenExpiry === undefined
      ? {}
      : { accessTokenLifetime: Number(accessTokenExpiry) || undefined }),
  };
}
