import {
  ClientSecretStatus,
  type ClientService,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import type { Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { isId } from '../runtime/ids.ts';
import { secretMessage } from './client-message.ts';
import { noSuchClient } from './client-refusals.ts';
import { switchSecret } from './client-secrets.ts';
import { namedRecord, type ResourceClientRecord } from './resource-clients.ts';
import { checkSecretId, createSecret, deleteSecret, refusal } from './secret-calls.ts';

/** Secrets of the environment's clients and of those of MCP servers. Two at once make a change without an outage possible. */
export const clientSecretsRpc: Slice<typeof ClientService> = {
  async createClientSecret(ctx, { clientId }) {
    return await createSecret(ctx, await clientOf(ctx, clientId));
  },

  async updateClientSecret(ctx, { clientId, secretId, secret, mask }) {
    checkSecretId(secretId);
    const wrong = mask?.paths.find((path) => path !== 'status');
    if (wrong !== undefined)
      throw invalidField('mask', `"${wrong.slice(0, 100)}" cannot be changed`, 'field_mask');
    const active = (secret?.status ?? ClientSecretStatus.ACTIVE) === ClientSecretStatus.ACTIVE;
    const { client } = await clientOf(ctx, clientId);
    const outcome = await switchSecret(ctx, client.id, secretId, active);
    if (outcome !== 'done') throw refusal(outcome);
    const { secrets } = await clientOf(ctx, clientId);
    const changed = secrets.find(({ id }) => id === secretId);
    if (!changed) throw refusal('unknown-secret');
    return { secret: secretMessage(changed) };
  },

  async deleteClientSecret(ctx, { clientId, secretId }) {
    checkSecretId(secretId);
    const { client } = await clientOf(ctx, clientId);
    await deleteSecret(ctx, client.id, secretId);
    return {};
  },
};

/** Machine clients of organizations have methods of their own. */
async function clientOf(ctx: Ctx, clientId: string): Promise<ResourceClientRecord> {
  if (!isId(clientId, 'm2m') && !isId(clientId, 'skc')) checkId('client_id', clientId, 'm2m');
  const found = await namedRecord(ctx, clientId);
  if (!found || found.client.organizationId !== undefined) throw noSuchClient();
  return found;
}
