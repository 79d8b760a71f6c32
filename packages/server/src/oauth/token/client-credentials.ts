import { audienceOfMcpServer } from '../../clients/audiences.ts';
import { isOfEnvironment } from '../../clients/client.ts';
import { ORGANIZATION_TOKEN_SECONDS } from '../../clients/client-message.ts';
import type { Client } from '../../clients/clients.ts';
import {
  findMachine,
  type Machine,
  recordMachineToken,
} from '../../grants/machine-tokens.store.ts';
import { revocationHandle } from '../../grants/revocation-handles.ts';
import { audienceOf, findMcpServer, isServing, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { OAuthError } from '../oauth-error.ts';
import { parseScope } from '../scope.ts';
import { type Authorization, type GrantRequest, type GrantType, refuseRepeated } from './grant.ts';
import { keepResource } from './keep-resource.ts';
import { accessTokenLifetime } from './lifetimes.ts';
import { interceptMachineToken } from './machine-interception.ts';
import { MANAGEMENT_TOKEN_SECONDS, managementAudience } from './management-caller.ts';

export const clientCredentialsGrant: GrantType = {
  name: 'client_credentials',
  allows: mayActForItself,
  authorize: authorizeMachine,
};

/**
 * Confidential clients of an administrator, without redirect URIs or marked for it (AS-98); those of the environment that may
 * call the management API (AS-99, FSA-6).
 */
function mayActForItself(client: Client, method: GrantRequest['method']): boolean {
  if (client.registration !== 'admin' || method === 'none') return false;
  if (isOfEnvironment(client)) return client.managementApi;
  return client.redirectUris.length === 0 || client.grantTypes.includes('client_credentials');
}

/**
 * A token for the client itself (RFC 6749 section 4.4): for the MCP server it belongs to; for an environment client at E, for
 * the management API (AS-99, AS-149); for an organization's client at E, for the application's own API (FSA-77).
 *
 * @throws {OAuthError} unauthorized_client: the client belongs to no MCP server
 * @throws {OAuthError} invalid_scope: only scopes that the client does not have; of an organization's client, any such scope
 * @throws {OAuthError} invalid_target: another resource than the client's
 */
async function authorizeMachine(ctx: Ctx, request: GrantRequest): Promise<Authorization> {
  const { client, form, trail } = request;
  refuseRepeated(form);
  const resources = [
    ...form.resources,
    ...(form.params['audience'] === undefined ? [] : [form.params['audience']]),
  ]; // AS-40
  if (isOfEnvironment(client)) return await forManagement(ctx, request, resources);
  if (client.kind === 'organization') return await forOrganization(ctx, request, resources);
  const mcpServer = await serverOf(ctx, request);
  trail.mcpServerId = mcpServer.id;
  await keepResource(ctx, resources, { mcpServer });
  const allowed = client.scopes.filter((scope) =>
    mcpServer.scopes.some((known) => known.name === scope),
  );
  const scopes = grantedScopes(form.params['scope'], allowed);
  const live = await findMachine(ctx.db, {
    environmentId: ctx.environmentId,
    clientId: client.id,
    mcpServerId: mcpServer.id,
  });
  if (!live) throw unavailable();
  return {
    ...machine(ctx, client, scopes, live, mcpServer.id),
    mcpServer,
    audience: audienceOf(mcpServer),
    lifetimeSeconds: await accessTokenLifetime(ctx, client, mcpServer),
    revocationHandles: [revocationHandle(live.revocationSecret, mcpServer.id)],
  };
}

async function forManagement(
  ctx: Ctx,
  request: GrantRequest,
  resources: readonly string[],
): Promise<Authorization> {
  const { client, form } = request;
  const audience = managementAudience(ctx);
  if (request.at.mcpServer)
    throw new OAuthError(
      'unauthorized_client',
      "this client gets tokens at the environment's token endpoint",
    );
  if (resources.some((resource) => resource !== audience && resource !== ctx.issuer))
    throw new OAuthError('invalid_target', 'this client gets tokens for the management API only');
  const live = await findMachine(ctx.db, { environmentId: ctx.environmentId, clientId: client.id });
  if (!live?.managementApi) throw unavailable();
  return {
    ...machine(ctx, client, grantedScopes(form.params['scope'], client.scopes), live),
    mcpServer: undefined,
    audience,
    lifetimeSeconds: client.settings.accessTokenLifetime ?? MANAGEMENT_TOKEN_SECONDS,
    revocationHandles: [revocationHandle(live.revocationSecret, ctx.environmentId)],
  };
}

/** Verifiers have no feed for these tokens: introspection asks for the client behind the handle. */
async function forOrganization(
  ctx: Ctx,
  { client, form, trail }: GrantRequest,
  resources: readonly string[],
): Promise<Authorization> {
  trail.organizationId = client.organizationId;
  const { audience = [], accessTokenLifetime } = client.settings;
  if (resources.some((resource) => !audience.includes(resource)))
    throw new OAuthError('invalid_target', 'the client has no such audience');
  const wanted = audience.filter((value) => resources.length === 0 || resources.includes(value));
  const taken = await audienceOfMcpServer(ctx, wanted);
  if (taken !== undefined)
    throw new OAuthError('invalid_target', 'an audience of the client is that of an MCP server', {
      detail: taken,
    });
  const live = await findMachine(ctx.db, { environmentId: ctx.environmentId, clientId: client.id });
  if (!live) throw unavailable();
  const {
    scopes,
    audience: aud,
    customClaims,
  } = await interceptMachineToken(ctx, client, {
    scopes: subsetOf(form.params['scope'], client.scopes),
    audience: wanted,
    customClaims: client.settings.customClaims ?? {},
  });
  return {
    ...machine(ctx, client, scopes, live),
    mcpServer: undefined,
    customClaims,
    audience: aud,
    lifetimeSeconds: accessTokenLifetime ?? ORGANIZATION_TOKEN_SECONDS,
    revocationHandles: [revocationHandle(live.revocationSecret, ctx.environmentId)],
  };
}

function machine(
  ctx: Ctx,
  client: Client,
  scopes: readonly string[],
  { revocationSecret }: Machine,
  mcpServerId?: string,
) {
  const { environmentId } = ctx;
  return {
    subject: client.id,
    scopes,
    person: undefined,
    organizationId: client.organizationId,
    idToken: undefined,
    async commit(event) {
      const gate = { environmentId, clientId: client.id, mcpServerId, revocationSecret, event };
      if (!(await recordMachineToken(ctx.db, gate))) throw unavailable();
      return { refreshToken: undefined };
    },
  } satisfies Partial<Authorization>;
}

function unavailable(): OAuthError {
  return new OAuthError('invalid_client', 'the client is not available', {
    detail: 'client or server disabled or deleted',
  });
}

/** The server of the endpoint, or at E the one that the client belongs to. */
async function serverOf(ctx: Ctx, { at, client }: GrantRequest): Promise<McpServer> {
  const own =
    client.mcpServerId === undefined ? undefined : await findMcpServer(ctx, client.mcpServerId);
  if (!own || (at.mcpServer && at.mcpServer.id !== own.id))
    throw new OAuthError('unauthorized_client', 'the client belongs to no MCP server here');
  if (!isServing(own))
    throw new OAuthError('invalid_request', 'the MCP server of this client is switched off');
  return own;
}

/** What was asked for and the client may have; all it may have if nothing was asked for (AS-98). */
function grantedScopes(asked: string | undefined, allowed: readonly string[]): readonly string[] {
  const scopes = parseScope(asked);
  if (scopes.length === 0) return allowed;
  const granted = scopes.filter((scope) => allowed.includes(scope));
  if (granted.length === 0)
    throw new OAuthError('invalid_scope', 'the client has none of these scopes');
  return granted;
}

/** Exactly what was asked for, or all if nothing was; one scope too many is refused, so that nobody takes less for more. */
function subsetOf(asked: string | undefined, allowed: readonly string[]): readonly string[] {
  const scopes = parseScope(asked);
  if (scopes.some((scope) => !allowed.includes(scope)))
    throw new OAuthError('invalid_scope', 'the client does not have all of these scopes');
  return scopes.length === 0 ? allowed : scopes;
}
