import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import type {
  WebhookEndpointSchema,
  WebhookEndpointService,
} from '@gatewarden/contract/gatewarden/v1/webhook_endpoints_pb';
import { CATALOGUE } from '../events/catalogue.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { changedMembers, checkId, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { endpointMembers, noSuchEndpoint } from './endpoint-input.ts';
import { type Endpoint, findEndpoint, listEndpoints } from './endpoints.store.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  MOST_ENDPOINTS,
  rotateSecret,
  switchEndpoint,
} from './endpoints.ts';
import { samplePayload } from './sample-payloads.ts';

const DEFAULT_OVERLAP = 86_400;
/** What a change may name, with the member of the message. */
const MEMBERS = { url: 'url', description: 'description', event_types: 'eventTypes' } as const;

/** Where events are delivered to. */
export const webhookEndpointsRpc: Slice<typeof WebhookEndpointService> = {
  async createWebhookEndpoint(ctx, { endpoint }) {
    if (!endpoint) throw invalidField('endpoint', 'is missing', 'required');
    const members = endpointMembers(ctx, endpoint, new Set(Object.keys(MEMBERS)));
    const { url = '', description = '', allTypes = true, eventTypes = [] } = members;
    const outcome = await createEndpoint(ctx, { url, description, allTypes, eventTypes });
    if (outcome.kind === 'too-many')
      throw new ApiError(
        'failed_precondition',
        'TOO_MANY_WEBHOOK_ENDPOINTS',
        `an environment has at most ${MOST_ENDPOINTS} webhook endpoints`,
      );
    return { endpoint: messageOf(outcome.endpoint), secret: outcome.secret };
  },

  async getWebhookEndpoint(ctx, { endpointId }) {
    checkId('endpoint_id', endpointId, 'whe');
    const key = { environmentId: ctx.environmentId, id: endpointId };
    return { endpoint: messageOf(found(await findEndpoint(ctx.db, key))) };
  },

  async listWebhookEndpoints(ctx) {
    const endpoints = await listEndpoints(ctx.db, ctx.environmentId);
    return { endpoints: endpoints.map(messageOf) };
  },

  async updateWebhookEndpoint(ctx, { endpointId, endpoint, updateMask }) {
    checkId('endpoint_id', endpointId, 'whe');
    if (!endpoint) throw invalidField('endpoint', 'is missing', 'required');
    const change = endpointMembers(ctx, endpoint, changedMembers(updateMask, endpoint, MEMBERS));
    return { endpoint: messageOf(found(await changeEndpoint(ctx, endpointId, change))) };
  },

  async deleteWebhookEndpoint(ctx, { endpointId }) {
    checkId('endpoint_id', endpointId, 'whe');
    if (!(await deleteEndpoint(ctx, endpointId))) throw noSuchEndpoint();
    return {};
  },

  async enableWebhookEndpoint(ctx, { endpointId }) {
    checkId('endpoint_id', endpointId, 'whe');
    return { endpoint: messageOf(found(await switchEndpoint(ctx, endpointId, true))) };
  },

  async disableWebhookEndpoint(ctx, { endpointId }) {
    checkId('endpoint_id', endpointId, 'whe');
    return { endpoint: messageOf(found(await switchEndpoint(ctx, endpointId, false))) };
  },

  async rotateWebhookSecret(ctx, { endpointId, overlap }) {
    checkId('endpoint_id', endpointId, 'whe');
    const rotated = await rotateSecret(ctx, endpointId, overlap ?? DEFAULT_OVERLAP);
    if (!rotated) throw noSuchEndpoint();
    return { endpoint: messageOf(rotated.endpoint), secret: rotated.secret };
  },

  async listWebhookEventTypes(ctx) {
    return {
      eventTypes: CATALOGUE.map(({ type, object, displayName, optIn }) => ({
        type,
        object,
        displayName,
        optIn,
        sample: { ...samplePayload(ctx, type) } as JsonObject, // made of JSON values alone
      })),
    };
  },
};

function found(endpoint: Endpoint | undefined): Endpoint {
  if (!endpoint) throw noSuchEndpoint();
  return endpoint;
}

function messageOf(endpoint: Endpoint): MessageInitShape<typeof WebhookEndpointSchema> {
  const { disabledAt, previousSecretEndsAt, failingSince, lastSucceededAt, lastFailedAt } =
    endpoint;
  return {
    id: endpoint.id,
    url: endpoint.url,
    description: endpoint.description,
    eventTypes: [...(endpoint.allTypes ? ['*'] : []), ...endpoint.eventTypes],
    enabled: endpoint.enabled,
    disabledBecause: endpoint.disabledBecause ?? '',
    ...(disabledAt && { disabledAt: timestampOf(disabledAt) }),
    ...(previousSecretEndsAt && { previousSecretEndsAt: timestampOf(previousSecretEndsAt) }),
    ...(failingSince && { failingSince: timestampOf(failingSince) }),
    ...(lastSucceededAt && { lastSucceededAt: timestampOf(lastSucceededAt) }),
    ...(lastFailedAt && { lastFailedAt: timestampOf(lastFailedAt) }),
    succeeded: endpoint.succeeded,
    failed: endpoint.failed,
    createTime: timestampOf(endpoint.createdAt),
    updateTime: timestampOf(endpoint.updatedAt),
  };
}
