import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import type {
  WebhookDeliverySchema,
  WebhookEndpointService,
} from '@gatewarden/contract/gatewarden/v1/webhook_endpoints_pb';
import { envelopeOf, eventIdOf } from '../events/envelope.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { momentOf, timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type Delivery,
  type DeliveryDetails,
  type DeliveryState,
  findDelivery,
  listDeliveries,
  requeueDelivery,
  requeueFailed,
} from './deliveries.store.ts';
import { noSuchEndpoint } from './endpoint-input.ts';
import { type Endpoint, findEndpoint } from './endpoints.store.ts';

const MOST_REDELIVERED = 1000;
const STATES: readonly DeliveryState[] = ['queued', 'retrying', 'succeeded', 'failed'];

/** What became of events at an endpoint, and delivering them once more. */
export const webhookDeliveriesRpc: Slice<typeof WebhookEndpointService> = {
  async listWebhookDeliveries(ctx, request) {
    const { id: endpointId } = await endpointOf(ctx, request.endpointId);
    checkText('', { event_type: request.eventType });
    const span = spanOf(request.startTime, request.endTime);
    const filter = {
      ...span,
      states: STATES.filter((state) => request.states.includes(state)),
      eventType: request.eventType || undefined,
    };
    const list = `deliveries ${JSON.stringify([endpointId, filter])}`;
    const page = readPage(ctx, list, request);
    const { environmentId } = ctx;
    const rows = await listDeliveries(ctx.db, { environmentId, endpointId, filter, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return { ...tokens, deliveries: items.map(messageOf) };
  },

  async getWebhookDelivery(ctx, { endpointId, deliveryId }) {
    const { delivery, payload, event, lastAnswer } = await deliveryOf(ctx, endpointId, deliveryId);
    const body = payload ?? (event && envelopeOf(event));
    return {
      delivery: messageOf(delivery),
      lastAnswer: Buffer.from(lastAnswer ?? []).toString(),
      // As it goes over the wire: without what is undefined.
      ...(body && { payload: JSON.parse(JSON.stringify(body)) as JsonObject }),
    };
  },

  async redeliverWebhook(ctx, { endpointId, deliveryId }) {
    checkEnabled(await endpointOf(ctx, endpointId));
    const { payload, event } = await deliveryOf(ctx, endpointId, deliveryId);
    if (!payload && !event)
      throw new ApiError(
        'failed_precondition',
        'EVENT_EXPIRED',
        'the event is older than events are kept',
      );
    const { environmentId } = ctx;
    const key = { environmentId, endpointId, id: deliveryId, now: ctx.now() };
    const delivery = await requeueDelivery(ctx.db, key);
    if (!delivery) throw noSuchDelivery();
    return { delivery: messageOf(delivery) };
  },

  async redeliverFailedWebhooks(ctx, { endpointId, startTime, endTime }) {
    const { start, end } = spanOf(startTime, endTime);
    if (!start || !end)
      throw invalidField(start ? 'end_time' : 'start_time', 'is missing', 'required');
    checkEnabled(await endpointOf(ctx, endpointId));
    const redelivered = await requeueFailed(ctx.db, {
      environmentId: ctx.environmentId,
      endpointId,
      start,
      end,
      limit: MOST_REDELIVERED,
      now: ctx.now(),
    });
    return { redelivered };
  },
};

type Moment = { readonly seconds: bigint; readonly nanos: number };

function spanOf(
  startTime: Moment | undefined,
  endTime: Moment | undefined,
): { start: Date | undefined; end: Date | undefined } {
  const start = startTime && momentOf('start_time', startTime);
  const end = endTime && momentOf('end_time', endTime);
  if (start && end && start > end) throw invalidField('start_time', 'is after end_time', 'range');
  return { start, end };
}

async function endpointOf(ctx: Ctx, id: string): Promise<Endpoint> {
  checkId('endpoint_id', id, 'whe');
  const endpoint = await findEndpoint(ctx.db, { environmentId: ctx.environmentId, id });
  if (!endpoint) throw noSuchEndpoint();
  return endpoint;
}

async function deliveryOf(
  ctx: Ctx,
  endpointId: string,
  deliveryId: string,
): Promise<DeliveryDetails> {
  checkId('delivery_id', deliveryId, 'whd');
  await endpointOf(ctx, endpointId);
  const { environmentId } = ctx;
  const found = await findDelivery(ctx.db, { environmentId, endpointId, id: deliveryId });
  if (!found) throw noSuchDelivery();
  return found;
}

function checkEnabled({ enabled }: Endpoint): void {
  if (!enabled)
    throw new ApiError(
      'failed_precondition',
      'WEBHOOK_ENDPOINT_DISABLED',
      'nothing is delivered to an endpoint that is disabled',
    );
}

function noSuchDelivery(): ApiError {
  return new ApiError(
    'not_found',
    'WEBHOOK_DELIVERY_NOT_FOUND',
    'the endpoint has no such delivery',
  );
}

function messageOf(delivery: Delivery): MessageInitShape<typeof WebhookDeliverySchema> {
  const { nextAttemptAt, lastAttemptAt } = delivery;
  return {
    id: delivery.id,
    endpointId: delivery.endpointId,
    eventId: eventIdOf(delivery.eventId),
    eventType: delivery.eventType,
    state: delivery.state,
    test: delivery.test,
    attempts: delivery.attempts,
    ...(nextAttemptAt && { nextAttemptAt: timestampOf(nextAttemptAt) }),
    ...(lastAttemptAt && { lastAttemptAt: timestampOf(lastAttemptAt) }),
    lastStatus: delivery.lastStatus ?? 0,
    lastError: delivery.lastError ?? '',
    lastDurationMs: delivery.lastDurationMs ?? 0,
    createTime: timestampOf(delivery.createdAt),
  };
}
