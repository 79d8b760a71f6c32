import { environmentOf } from '../environments/environments.ts';
import { recordFor } from '../events/events.ts';
import { forgetRememberedConsents } from '../grants/consents.store.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { clientDigest, usesSecret } from './client.ts';
import type { ClientMetadata, JsonObject } from './client-metadata.ts';
import { newClientSecret, secretWrite } from './client-secrets.ts';
import {
  type ClientRecord,
  findClientRecord,
  insertSecret,
  lockClientRecord,
  updateClientRow,
} from './clients.store.ts';
import { deleteClient } from './manage-clients.ts';
import { acceptedMetadata, type Registration, withKnownScope } from './registration.ts';

/**
 * The client that a registration access token manages (RFC 7592 section 2). Every failure is the same 401: switched off here,
 * unknown, shared, deleted, another client's token (AS-68).
 *
 * @throws {OAuthError} invalid_token
 */
export async function managedClient(
  ctx: Ctx,
  mcpServer: McpServer,
  clientId: string,
  authorization: string | undefined,
): Promise<ClientRecord> {
  const refused = new OAuthError(
    'invalid_token',
    'the registration access token is not valid for this client',
    { wwwAuthenticate: 'Bearer error="invalid_token"' },
  );
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(
    authorization?.slice(0, 1000) ?? '',
  )?.[1];
  if (
    token === undefined ||
    !mcpServer.settings.dcrManagement ||
    !/^m2m_[0-9]{1,20}$/.test(clientId)
  )
    throw refused;
  const found = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id: clientId });
  const expected = found?.registrationTokenHash;
  if (!found || !expected || !equalBytes(expected, sha256(token))) throw refused;
  const { client } = found;
  if (
    found.deletedAt ||
    client.shared ||
    !client.enabled ||
    client.registration !== 'dynamic' ||
    client.mcpServerId !== mcpServer.id
  )
    throw refused;
  return found;
}

/**
 * Replaces all metadata of a client (RFC 7592 section 2.2). Redirect URIs, keys, name or method that changed end remembered
 * consents (AS-131). The access token stays: a client that loses one answer must not lose its registration.
 *
 * @throws {OAuthError} invalid_client_metadata, invalid_redirect_uri: as at registration, or another client_id or secret than the client's
 */
export async function replaceClient(
  ctx: Ctx,
  mcpServer: McpServer,
  current: ClientRecord,
  body: JsonObject,
): Promise<Registration> {
  checkIdentity(current, body);
  const environment = await environmentOf(ctx);
  const metadata = withKnownScope(
    acceptedMetadata(ctx, environment, mcpServer, body),
    mcpServer,
    body,
  );
  const by = { environmentId: ctx.environmentId, id: current.client.id };
  const made = newClientSecret(ctx, environment.kind);
  const secret = await ctx.db.transaction(async (tx) => {
    const locked = await lockClientRecord(tx, by);
    if (!locked || !isManagedStill(locked, current))
      throw new OAuthError('invalid_token', 'the client was deleted or changed meanwhile');
    await writeRegistration(withDb(ctx, tx), mcpServer, locked, metadata);
    if (!usesSecret(metadata.tokenEndpointAuthMethod) || locked.secrets.length > 0)
      return undefined;
    await insertSecret(tx, {
      ...secretWrite(made),
      environmentId: ctx.environmentId,
      clientId: by.id,
      now: ctx.now(),
    });
    return made;
  });
  const saved = await findClientRecord(ctx.db, by);
  if (!saved) throw new Error(`client ${by.id} was not written`);
  return { record: saved, secret, accessToken: undefined };
}

/** What is not the registrant's stays as it is: above all whether an administrator has switched the client off. */
async function writeRegistration(
  ctx: Ctx,
  mcpServer: McpServer,
  locked: ClientRecord,
  metadata: ClientMetadata,
): Promise<void> {
  const { db, environmentId } = ctx;
  const { client } = locked;
  await updateClientRow(db, {
    ...client,
    ...metadata,
    environmentId,
    registrationTokenHash: locked.registrationTokenHash,
    keepShared: false,
    now: ctx.now(),
  });
  if (!equalBytes(clientDigest(metadata), client.digest))
    await forgetRememberedConsents(db, { environmentId, clientId: client.id });
  await recordFor(ctx, {
    type: 'client.updated',
    clientId: client.id,
    mcpServerId: mcpServer.id,
    data: { by: 'registration access token', redirectUris: metadata.redirectUris },
  });
}

/** Whether the access token that was accepted would be accepted again. */
function isManagedStill(locked: ClientRecord, accepted: ClientRecord): boolean {
  const [now, before] = [locked.registrationTokenHash, accepted.registrationTokenHash];
  return (
    locked.client.enabled &&
    !locked.client.shared &&
    now !== undefined &&
    before !== undefined &&
    equalBytes(now, before)
  );
}

/** Ends a client with its grants and tokens (RFC 7592 section 2.3). */
export async function unregisterClient(ctx: Ctx, current: ClientRecord): Promise<void> {
  await deleteClient(ctx, current.client.id, 'unregistered');
}

/** RFC 7592 section 2.2: the body names the client, and its secret if it repeats one. */
function checkIdentity(current: ClientRecord, body: JsonObject): void {
  if (body['client_id'] !== current.client.id)
    throw new OAuthError('invalid_client_metadata', 'client_id is not that of this client');
  const secret = body['client_secret'];
  if (secret === undefined) return;
  const hash = typeof secret === 'string' ? sha256(secret) : undefined;
  if (!hash || !current.secrets.some((known) => equalBytes(known.hash, hash)))
    throw new OAuthError('invalid_client_metadata', 'client_secret is not that of this client');
}
