import { type Environment, environmentOf } from '../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../environments/rate-limit.ts';
import { eventOf, record, recordFor } from '../events/events.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError, tooManyRequests } from '../oauth/oauth-error.ts';
import { isOpenIdScope } from '../oauth/scope.ts';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { canonicalJson, usesSecret } from './client.ts';
import { type ClientMetadata, type JsonObject, readRegistration } from './client-metadata.ts';
import { newClientSecret, type PlainSecret, secretWrite } from './client-secrets.ts';
import {
  type ClientRecord,
  findClientRecord,
  findSharedClient,
  insertClient,
  insertSecret,
} from './clients.store.ts';
import { isKnownSoftware } from './known-software.store.ts';

/** A registration and what is readable only now. */
export type Registration = {
  readonly record: ClientRecord;
  readonly secret: PlainSecret | undefined;
  readonly accessToken: string | undefined;
};

const HOUR_SECONDS = 3600;

/**
 * Dynamic client registration at one MCP server (RFC 7591, AS-57 to AS-66). Registrations of a public client that are equal in
 * every member share one row, which nobody but an administrator can change.
 *
 * @throws {OAuthError} access_denied: switched off here
 * @throws {OAuthError} invalid_redirect_uri, invalid_client_metadata: names what is wrong
 * @throws {OAuthError} temporarily_unavailable: 429, too many registrations
 */
export async function registerClient(
  ctx: Ctx,
  mcpServer: McpServer,
  body: JsonObject,
): Promise<Registration> {
  if (!mcpServer.registrationEnabled) {
    throw new OAuthError(
      'access_denied',
      'dynamic client registration is switched off here; use a client ID metadata document (an https URL as client_id) or a client that an administrator registered',
    );
  }
  const environment = await environmentOf(ctx);
  const metadata = withKnownScope(
    acceptedMetadata(ctx, environment, mcpServer, body),
    mcpServer,
    body,
  );
  const registrationDigest = sharedDigest(mcpServer, metadata);
  if (registrationDigest) {
    const equal = await findSharedClient(ctx.db, {
      environmentId: ctx.environmentId,
      mcpServerId: mcpServer.id,
      registrationDigest,
    });
    if (equal) return { record: equal, secret: undefined, accessToken: undefined };
  }
  await withinLimits(ctx, environment, mcpServer, metadata);
  return await addRegistration(ctx, environment, mcpServer, { metadata, registrationDigest });
}

/** The one validator for what a registration or an update of it says. */
export function acceptedMetadata(
  ctx: Ctx,
  environment: Environment,
  mcpServer: McpServer,
  body: JsonObject,
): ClientMetadata {
  const check = readRegistration(body, {
    privateUseSchemes: mcpServer.settings.privateUseSchemes,
    allowLoopback: ctx.config.allowLoopbackClients,
    publicOnly: environment.settings.dcrPublicOnly,
  });
  if (check.kind === 'invalid') throw new OAuthError(check.code, check.description);
  return check.metadata;
}

/** Registration never fails on scope (AS-42): what the server knows of it is kept and echoed. */
export function withKnownScope(
  metadata: ClientMetadata,
  mcpServer: McpServer,
  body: JsonObject,
): ClientMetadata {
  const wanted = typeof body['scope'] === 'string' ? body['scope'].slice(0, 4096).split(' ') : [];
  const known = [...new Set(wanted)].filter(
    (scope) =>
      isOpenIdScope(scope) || mcpServer.scopes.some((candidate) => candidate.name === scope),
  );
  return known.length === 0
    ? metadata
    : { ...metadata, metadata: { ...metadata.metadata, scope: known.join(' ') } };
}

/** AS-66: only public clients without keys share, and none where every registration can be managed. */
function sharedDigest(mcpServer: McpServer, metadata: ClientMetadata): Uint8Array | undefined {
  const shareable =
    metadata.tokenEndpointAuthMethod === 'none' &&
    !metadata.jwks &&
    metadata.jwksUri === undefined &&
    !mcpServer.settings.dcrManagement;
  return shareable ? sha256(canonicalJson(metadata)) : undefined;
}

type Accepted = {
  readonly metadata: ClientMetadata;
  readonly registrationDigest: Uint8Array | undefined;
};

async function addRegistration(
  ctx: Ctx,
  environment: Environment,
  mcpServer: McpServer,
  { metadata, registrationDigest }: Accepted,
): Promise<Registration> {
  const { environmentId } = ctx;
  const secret = usesSecret(metadata.tokenEndpointAuthMethod)
    ? newClientSecret(ctx, environment.kind)
    : undefined;
  const accessToken = mcpServer.settings.dcrManagement ? newSecret(ctx) : undefined;
  // A conflict is either an id of the same millisecond or an equal registration that was faster: look, then try again.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const id = newId(ctx, 'm2m');
    const row = {
      ...newRow(ctx, mcpServer, metadata),
      id,
      registrationDigest,
      registrationTokenHash: accessToken === undefined ? undefined : sha256(accessToken),
    };
    const added = await ctx.db.transaction(async (tx) => {
      if (!(await insertClient(tx, row))) return false;
      if (secret)
        await insertSecret(tx, {
          ...secretWrite(secret),
          environmentId,
          clientId: id,
          now: ctx.now(),
        });
      await record(
        tx,
        eventOf(ctx, {
          type: 'client.registered',
          clientId: id,
          mcpServerId: mcpServer.id,
          data: {
            name: metadata.name,
            redirectUris: metadata.redirectUris,
            method: metadata.tokenEndpointAuthMethod,
            shared: registrationDigest !== undefined,
          },
        }),
      );
      return true;
    });
    const found = added
      ? await findClientRecord(ctx.db, { environmentId, id })
      : registrationDigest &&
        (await findSharedClient(ctx.db, {
          environmentId,
          mcpServerId: mcpServer.id,
          registrationDigest,
        }));
    if (found)
      return {
        record: found,
        secret: added ? secret : undefined,
        accessToken: added ? accessToken : undefined,
      };
  }
  throw new Error('no free client id');
}

function newRow(ctx: Ctx, mcpServer: McpServer, metadata: ClientMetadata) {
  return {
    ...metadata,
    environmentId: ctx.environmentId,
    kind: 'mcp',
    registration: 'dynamic',
    mcpServerId: mcpServer.id,
    organizationId: undefined,
    description: '',
    scopes: [],
    settings: {},
    managementApi: false,
    enabled: true,
    revocationSecret: ctx.random(32),
    createdAt: ctx.now(),
  } as const;
}

/**
 * AS-65. Per network and server first: an IPv6 network is a /48, which no caller leaves by changing addresses in its /64. Then
 * per server, of which a quarter is kept for software that people use here already.
 */
async function withinLimits(
  ctx: Ctx,
  environment: Environment,
  mcpServer: McpServer,
  metadata: ClientMetadata,
): Promise<void> {
  const { limits } = environment.settings;
  const refuse = async (limit: string, retryAfterSeconds: number): Promise<never> => {
    await recordFor(ctx, {
      type: 'client.registration_refused',
      outcome: 'failure',
      reason: 'rate_limited',
      mcpServerId: mcpServer.id,
      data: { limit },
    });
    throw tooManyRequests(retryAfterSeconds, `registrations: ${limit}`);
  };
  if (limitApplies(ctx, environment)) {
    const network = networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 48 });
    const max =
      mcpServer.settings.registrationPerHourPerNetwork ?? limits.registrationPerHourPerNetwork;
    const counted = await countAgainst(ctx, {
      name: 'registration',
      key: `${mcpServer.id} ${network}`,
      windowSeconds: HOUR_SECONDS,
      max,
    });
    if (!counted.allowed) await refuse('network', counted.retryAfterSeconds);
  }
  const perServer = mcpServer.settings.registrationPerHour ?? limits.registrationPerHourPerServer;
  const reserved = Math.floor(perServer / 4);
  const open = await countAgainst(ctx, {
    name: 'registration-server',
    key: mcpServer.id,
    windowSeconds: HOUR_SECONDS,
    max: perServer - reserved,
  });
  if (open.allowed) return;
  if (!(await isKnownSoftware(ctx, mcpServer.id, metadata)))
    await refuse('server', open.retryAfterSeconds);
  const kept = await countAgainst(ctx, {
    name: 'registration-server-known',
    key: mcpServer.id,
    windowSeconds: HOUR_SECONDS,
    max: reserved,
  });
  if (!kept.allowed) await refuse('server', kept.retryAfterSeconds);
}
