import type {
  ClientService,
  OrganizationClient,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import { isInUse } from '../roles/permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { audienceProblem } from './audiences.ts';
import type { Client } from './client.ts';
import type { ClientInput } from './client-input.ts';
import { organizationClientMessage } from './client-message.ts';
import { invalidMember, noSuchClient } from './client-refusals.ts';
import { type ClientRecord, findClientRecord, findClientRecords } from './clients.store.ts';
import {
  claimsByName,
  customClaimsProblem,
  lifetimeProblem,
  scopeProblem,
} from './machine-input.ts';
import { type Created, createClient, deleteClient, updateClient } from './manage-clients.ts';
import {
  countOrganizationClients,
  listOrganizationClientIds,
} from './organization-clients.store.ts';
import { checkSecretId, createSecret, deleteSecret } from './secret-calls.ts';

const MOST_LISTED = 100;

/** Machine clients of organizations: how programs of a customer call the application's API (FSA-77). */
export const organizationClientsRpc: Slice<typeof ClientService> = {
  async createOrganizationClient(ctx, { organizationId, client }) {
    await checkOrganization(ctx, organizationId);
    if (!client) throw invalidField('client', 'is missing', 'required');
    const input = await inputOf(ctx, client);
    const { client: made, secret } = await create(ctx, organizationId, {
      name: client.name,
      ...input(),
    });
    const record = await clientOf(ctx, organizationId, made.id);
    return { client: organizationClientMessage(record), plainSecret: secret?.plain ?? '' };
  },

  async getOrganizationClient(ctx, { organizationId, clientId }) {
    checkIds(organizationId, clientId);
    return { client: organizationClientMessage(await clientOf(ctx, organizationId, clientId)) };
  },

  async listOrganizationClients(ctx, request) {
    const { organizationId } = request;
    if (request.pageSize > MOST_LISTED)
      throw invalidField('page_size', `must be at most ${MOST_LISTED}`, 'uint32.lte');
    await checkOrganization(ctx, organizationId);
    const { environmentId } = ctx;
    const list = JSON.stringify(['organization-clients', organizationId]);
    const page = readPage(ctx, list, request);
    const by = { environmentId, organizationId };
    const rows = await listOrganizationClientIds(ctx.db, { ...by, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    const ids = items.map(({ id }) => id);
    const found = await findClientRecords(ctx.db, { environmentId, ids });
    const byId = new Map(found.map((record) => [record.client.id, record]));
    return {
      ...tokens,
      totalSize: await countOrganizationClients(ctx.db, by),
      clients: ids.flatMap((id) => {
        const record = byId.get(id);
        return record && record.deletedAt === undefined ? [organizationClientMessage(record)] : [];
      }),
    };
  },

  /** Members that are empty stay as they are: the message cannot say that one is to become empty. */
  async updateOrganizationClient(ctx, { organizationId, clientId, client }) {
    checkIds(organizationId, clientId);
    await clientOf(ctx, organizationId, clientId);
    if (!client) throw invalidField('client', 'is missing', 'required');
    const updated = await updateClient(ctx, clientId, await inputOf(ctx, client));
    if (!updated) throw noSuchClient();
    if (updated.kind === 'invalid') throw invalidMember(updated);
    return { client: organizationClientMessage(await clientOf(ctx, organizationId, clientId)) };
  },

  async deleteOrganizationClient(ctx, { organizationId, clientId }) {
    checkIds(organizationId, clientId);
    await clientOf(ctx, organizationId, clientId);
    if (!(await deleteClient(ctx, clientId))) throw noSuchClient();
    return {};
  },

  async createOrganizationClientSecret(ctx, { organizationId, clientId }) {
    checkIds(organizationId, clientId);
    return await createSecret(ctx, await clientOf(ctx, organizationId, clientId));
  },

  async deleteOrganizationClientSecret(ctx, { organizationId, clientId, secretId }) {
    checkIds(organizationId, clientId);
    checkSecretId(secretId);
    await clientOf(ctx, organizationId, clientId);
    await deleteSecret(ctx, clientId, secretId);
    return {};
  },
};

async function create(ctx: Ctx, organizationId: string, input: ClientInput): Promise<Created> {
  try {
    const created = await createClient(ctx, { ...input, kind: 'organization', organizationId });
    if (created.kind === 'invalid') throw invalidMember(created);
    return created;
  } catch (error) {
    if (isInUse(error)) throw noSuchOrganization(); // it ended at this moment
    throw error;
  }
}

/** The members that were sent. */
async function inputOf(
  ctx: Ctx,
  sent: OrganizationClient,
): Promise<(before?: Client) => Partial<ClientInput>> {
  const { name, description, scopes, audience } = sent;
  checkText('client.', { name, description, scopes, audience });
  const invalid =
    scopeProblem(scopes) ??
    customClaimsProblem(sent.customClaims) ??
    lifetimeProblem('expiry', sent.expiry) ??
    (await audienceProblem(ctx, audience));
  if (invalid) throw invalidMember(invalid);
  const settings = {
    ...(audience.length > 0 ? { audience: [...new Set(audience)] } : {}),
    ...(sent.customClaims.length > 0 ? { customClaims: claimsByName(sent.customClaims) } : {}),
    ...(sent.expiry === 0n ? {} : { accessTokenLifetime: Number(sent.expiry) }),
  };
  const hasSettings = Object.keys(settings).length > 0;
  return (before) => ({
    ...(name === '' ? {} : { name }),
    ...(description === '' ? {} : { description }),
    ...(scopes.length > 0 ? { scopes: [...new Set(scopes)] } : {}),
    ...(hasSettings ? { settings: { ...before?.settings, ...settings } } : {}),
  });
}

function checkIds(organizationId: string, clientId: string): void {
  checkId('organization_id', organizationId, 'org');
  checkId('client_id', clientId, 'm2morg');
}

async function checkOrganization(ctx: Ctx, organizationId: string): Promise<void> {
  checkId('organization_id', organizationId, 'org');
  const by = { environmentId: ctx.environmentId, key: { id: organizationId } };
  if (!(await findOrganization(ctx.db, by))) throw noSuchOrganization();
}

/** A live machine client of this organization. */
async function clientOf(ctx: Ctx, organizationId: string, id: string): Promise<ClientRecord> {
  const found = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found || found.deletedAt || found.client.organizationId !== organizationId)
    throw noSuchClient();
  return found;
}
