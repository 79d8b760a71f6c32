import type { JsonObject } from '@bufbuild/protobuf';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import type { Step } from './management-api.ts';

const { method: m } = ClientService;

/** The calls about clients of the environment. */
export const environmentClientSteps = {
  list: (types: readonly string[] = [], params: Record<string, string> = {}): Step => ({
    method: m.listClient,
    input: { ...params, filter: { client_type: [...types] } },
    rest: [
      'GET',
      `/clients?${new URLSearchParams([
        ...Object.entries(params),
        ...types.map((type): [string, string] => ['filter.client_type', type]),
      ])}`,
    ],
  }),
  create: (client: JsonObject): Step => ({
    method: m.createClient,
    input: { client },
    rest: ['POST', '/clients', client],
  }),
  get: (id: string): Step => ({
    method: m.getClient,
    input: { client_id: id },
    rest: ['GET', `/clients/${id}`],
  }),
  update: (id: string, client: JsonObject): Step => ({
    method: m.updateClient,
    input: { client_id: id, client },
    rest: ['PATCH', `/clients/${id}`, client],
  }),
  delete: (id: string): Step => ({
    method: m.deleteClient,
    input: { client_id: id },
    rest: ['DELETE', `/clients/${id}`],
  }),
};
