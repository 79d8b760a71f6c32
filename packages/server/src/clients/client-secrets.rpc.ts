import {
  ClientSecretStatus,
  type ClientService,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { isId } from '../runtime/ids.ts';
import { usesSecret } from './client.ts';
import { secretMessage } from './client-message.ts';
import { addSecret, MOST_SECRETS, removeSecret, setSecretStatus } from './client-secrets.ts';
import type { ClientSecret } from './clients.store.ts';
import { lockClient } from './resource-clients.store.ts';
import { namedRecord, type ResourceClientRecord } from './resource-clients.ts';

/** Secrets of the environment's clients and of those of MCP servers. Several at once make a change without an outage possible. */
export const clientSecretsRpc: Slice<typeof ClientService> = {
  async createClientSecret(ctx, { clientId }) {
    const { client, secrets } = await clientOf(ctx, clientId);
    if (!usesSecret(client.tokenEndpointAuthMethod))
      throw precondition('CLIENT_HAS_NO_SECRETS', 'this client does not authenticate by secret');
    if (secrets.length >= MOST_SECRETS)
      throw precondition('TOO_MANY_SECRETS', `a client has at most ${MOST_SECRETS} secrets`);
    const secret = await addSecret(ctx, client.id);
    if (!secret) throw noSuchClient();
    return { plainSecret: secret.plain, secret: secretMessage(secret) };
  },

  async updateClientSecret(ctx, { clientId, secretId, secret, mask }) {
    checkSecretId(secretId);
    const wrong = mask?.paths.find((path) => path !== 'status');
    if (wrong !== undefined)
      throw invalidField('mask', `"${wrong.slice(0, 100)}" cannot be changed`, 'field_mask');
    const active = (secret?.status ?? ClientSecretStatus.ACTIVE) === ClientSecretStatus.ACTIVE;
    await withSecret(ctx, clientId, secretId, async (inside, record) => {
      if (
        !active &&
        record.client.managementApi &&
        isLast(record, secretId, ({ active }) => active)
      )
        throw precondition(
          'LAST_SECRET',
          'the last active secret of a client that calls this API cannot be switched off',
        );
      await setSecretStatus(inside, record.client.id, secretId, active);
    });
    const { secrets } = await clientOf(ctx, clientId);
    const changed = secrets.find(({ id }) => id === secretId);
    if (!changed) throw noSuchSecret();
    return { secret: secretMessage(changed) };
  },

  async deleteClientSecret(ctx, { clientId, secretId }) {
    checkSecretId(secretId);
    await withSecret(ctx, clientId, secretId, async (inside, record) => {
      const counts = record.client.managementApi
        ? ({ active }: ClientSecret) => active
        : () => true;
      if (isLast(record, secretId, counts))
        throw precondition('LAST_SECRET', 'the last secret of a client cannot be deleted');
      await removeSecret(inside, record.client.id, secretId);
    });
    return {};
  },
};

/** Of two calls for the last two secrets of a client one must see what the other did: they take turns. */
async function withSecret(
  ctx: Ctx,
  clientId: string,
  secretId: string,
  work: (inside: Ctx, record: ResourceClientRecord) => Promise<void>,
): Promise<void> {
  const { client } = await clientOf(ctx, clientId);
  await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    if (!(await lockClient(tx, { environmentId: ctx.environmentId, id: client.id })))
      throw noSuchClient();
    const record = await clientOf(inside, clientId);
    if (!record.secrets.some(({ id }) => id === secretId)) throw noSuchSecret();
    await work(inside, record);
  });
}

function isLast(
  { secrets }: ResourceClientRecord,
  secretId: string,
  counts: (secret: ClientSecret) => boolean,
): boolean {
  const counted = secrets.filter(counts);
  return counted.length === 1 && counted[0]?.id === secretId;
}

/** Machine clients of organizations have methods of their own. */
async function clientOf(ctx: Ctx, clientId: string): Promise<ResourceClientRecord> {
  if (!isId(clientId, 'm2m') && !isId(clientId, 'skc')) checkId('client_id', clientId, 'm2m');
  const found = await namedRecord(ctx, clientId);
  if (!found || found.client.organizationId !== undefined) throw noSuchClient();
  return found;
}

function checkSecretId(id: string): void {
  checkId('secret_id', id, 'sec');
}

function precondition(errorCode: string, message: string): ApiError {
  return new ApiError('failed_precondition', errorCode, message);
}

function noSuchClient(): ApiError {
  return new ApiError('not_found', 'CLIENT_NOT_FOUND', 'there is no such client');
}

function noSuchSecret(): ApiError {
  return new ApiError('not_found', 'SECRET_NOT_FOUND', 'there is no such secret');
}
