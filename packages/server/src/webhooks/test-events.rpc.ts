import type { JsonObject } from '@bufbuild/protobuf';
import type { WebhookService } from '@gatewarden/contract/scalekit/v1/webhooks/webhooks_pb';
import { catalogued } from '../events/catalogue.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import { nextEventId, queueTest } from './deliveries.store.ts';
import { samplePayload } from './sample-payloads.ts';

/** What the vendor's service has besides an address of somebody else's console: endpoints are managed by a service of ours. */
export const testEventsRpc: Slice<typeof WebhookService> = {
  async sendTestEvent(ctx, { eventType }) {
    const entry = catalogued(eventType);
    if (!entry) throw invalidField('event_type', 'is not a type of event that is delivered', 'in');
    const queued = await ctx.db.transaction(async (tx) => {
      const eventId = await nextEventId(tx);
      const payload = samplePayload(ctx, eventType, eventId);
      const { environmentId } = ctx;
      const { optIn } = entry;
      const by = { environmentId, eventId, eventType, optIn, payload, now: ctx.now() };
      return (await queueTest(tx, by)) > 0 ? payload : undefined;
    });
    if (!queued)
      throw new ApiError(
        'failed_precondition',
        'NO_WEBHOOK_ENDPOINT',
        'no enabled webhook endpoint is told of this type',
      );
    return { eventType, eventPayload: { ...queued } as JsonObject }; // made of JSON values alone
  },
};
