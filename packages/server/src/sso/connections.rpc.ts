import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  ConnectionSchema,
  type ConnectionService,
  CreateConnectionSchema,
  UpdateConnectionSchema,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Organization } from '../organizations/organizations.ts';
import type { Ctx } from '../runtime/context.ts';
import { ORGANIZATION_TYPES } from './connection.ts';
import { connectionAnswer } from './connection-answer.ts';
import { assignDomains } from './connection-domains.ts';
import { changesOf, newConnection, type Sent } from './connection-input.ts';
import {
  checkDeleted,
  createdConnection,
  noSuchConnection,
  switchAnswer,
  writtenConnection,
} from './connection-outcome.ts';
import { findConnection } from './connections.store.ts';
import {
  type Connection,
  changeConnection,
  createConnection,
  removeConnection,
  switchConnection,
} from './connections.ts';
import { listServedDomains } from './domains.store.ts';

/** Connections of organizations, to their own identity providers. */
export const connectionsRpc: Slice<typeof ConnectionService> = {
  async createConnection(ctx, { organizationId, connection }) {
    const sent = connection && toJson(CreateConnectionSchema, connection);
    const input = newConnection(asSent(sent));
    if (!ORGANIZATION_TYPES.has(input.type))
      throw invalidField('connection.type', 'is only for connections of the environment', 'in');
    const { id } = await organizationNamed(ctx, organizationId);
    const made = await createConnection(ctx, { ...input, organizationId: id });
    return { connection: await messageOf(ctx, createdConnection(made)) };
  },

  async getConnection(ctx, { organizationId, id }) {
    const key = keyOf(organizationId, id);
    const found = await findConnection(ctx.db, { environmentId: ctx.environmentId, ...key });
    if (!found) throw noSuchConnection();
    return { connection: await messageOf(ctx, found) };
  },

  async updateConnection(ctx, { organizationId, id, connection }) {
    const key = keyOf(organizationId, id);
    const sent = connection && toJson(UpdateConnectionSchema, connection);
    const outcome = await changeConnection(ctx, key, (now) => changesOf(asSent(sent), now));
    return { connection: await messageOf(ctx, writtenConnection(outcome)) };
  },

  async deleteConnection(ctx, { organizationId, id }) {
    checkDeleted(await removeConnection(ctx, keyOf(organizationId, id)));
    return {};
  },

  async enableConnection(ctx, { organizationId, id }) {
    const key = keyOf(organizationId, id);
    const { features } = await organizationNamed(ctx, organizationId);
    const found = await findConnection(ctx.db, { environmentId: ctx.environmentId, ...key });
    if (!found) throw noSuchConnection();
    if (features['sso'] !== true)
      throw new ApiError(
        'failed_precondition',
        'SSO_DISABLED',
        'single sign-on is off for this organization: its feature "sso" has to be on',
      );
    return switchAnswer(await switchConnection(ctx, key, true));
  },

  async disableConnection(ctx, { organizationId, id }) {
    return switchAnswer(await switchConnection(ctx, keyOf(organizationId, id), false));
  },

  async assignDomainsToConnection(ctx, { organizationId, connectionId, domainIds }) {
    const key = keyOf(organizationId, connectionId, 'connection_id');
    for (const [index, id] of domainIds.entries()) checkId(`domain_ids[${index}]`, id, 'dom');
    const outcome = await assignDomains(ctx, key, [...new Set(domainIds)]);
    switch (outcome.kind) {
      case 'assigned':
        return { connection: await messageOf(ctx, outcome.connection) };
      case 'unknown':
        throw noSuchConnection();
      case 'unknown-domain':
        throw new ApiError('not_found', 'DOMAIN_NOT_FOUND', 'there is no such domain');
      case 'not-for-sign-in':
        throw invalidField(
          'domain_ids',
          'must be domains of type ORGANIZATION_DOMAIN: others lead nobody anywhere',
          'in',
        );
    }
  },
};

function keyOf(organizationId: string, id: string, field = 'id') {
  checkId('organization_id', organizationId, 'org');
  checkId(field, id, 'conn');
  return { organizationId, id };
}

async function organizationNamed(ctx: Ctx, id: string): Promise<Organization> {
  checkId('organization_id', id, 'org');
  const { environmentId } = ctx;
  const found = await findOrganization(ctx.db, { environmentId, key: { id } });
  if (!found) throw noSuchOrganization();
  return found;
}

function asSent(json: JsonValue | undefined): Sent | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined;
}

async function messageOf(ctx: Ctx, connection: Connection) {
  const { environmentId } = ctx;
  const domains = await listServedDomains(ctx.db, { environmentId, connectionId: connection.id });
  const answer = connectionAnswer(ctx, connection, domains);
  return fromJson(ConnectionSchema, answer as JsonValue); // made of texts, numbers, and lists of them
}
