import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  ConnectionSchema,
  type ConnectionService,
  CreateConnectionSchema,
  UpdateConnectionSchema,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import type { Slice } from '../http/calls.ts';
import { checkId } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { connectionAnswer } from './connection-answer.ts';
import { changesOf, newConnection, notOffered, type Sent } from './connection-input.ts';
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

/** Connections of the environment: social sign-in, codes and links, passkeys, and login pages of applications. */
export const environmentConnectionsRpc: Slice<typeof ConnectionService> = {
  async createEnvironmentConnection(ctx, { connection, flags }) {
    // Connections that act for people at other services are another product.
    if (flags?.isApp === true) throw notOffered('connections of agents to other services');
    const input = newConnection(asSent(connection && toJson(CreateConnectionSchema, connection)));
    const made = await createConnection(ctx, { ...input, organizationId: undefined });
    return { connection: messageOf(ctx, createdConnection(made)) };
  },

  async getEnvironmentConnection(ctx, { connectionId }) {
    const key = keyOf(connectionId);
    const found = await findConnection(ctx.db, { environmentId: ctx.environmentId, ...key });
    if (!found) throw noSuchConnection();
    return { connection: messageOf(ctx, found) };
  },

  async updateEnvironmentConnection(ctx, { connectionId, connection }) {
    const key = keyOf(connectionId);
    const sent = connection && toJson(UpdateConnectionSchema, connection);
    const outcome = await changeConnection(ctx, key, (now) => changesOf(asSent(sent), now));
    return { connection: messageOf(ctx, writtenConnection(outcome)) };
  },

  async deleteEnvironmentConnection(ctx, { connectionId }) {
    checkDeleted(await removeConnection(ctx, keyOf(connectionId)));
    return {};
  },

  async enableEnvironmentConnection(ctx, { connectionId }) {
    return switchAnswer(await switchConnection(ctx, keyOf(connectionId), true));
  },

  async disableEnvironmentConnection(ctx, { connectionId }) {
    return switchAnswer(await switchConnection(ctx, keyOf(connectionId), false));
  },
};

function keyOf(id: string) {
  checkId('connection_id', id, 'conn');
  return { organizationId: undefined, id };
}

function asSent(json: JsonValue | undefined): Sent | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined;
}

function messageOf(ctx: Ctx, connection: Connection) {
  return fromJson(ConnectionSchema, connectionAnswer(ctx, connection) as JsonValue); // made of texts, numbers, and lists of them
}
