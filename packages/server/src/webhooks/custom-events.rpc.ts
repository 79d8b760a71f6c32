import type { EventsService } from '@gatewarden/contract/scalekit/v1/events/events_pb';
import { countAgainst } from '../environments/rate-limit.ts';
import { eventOf, recordNamed } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/callers.ts';
import type { Slice } from '../http/calls.ts';
import { checkJson, invalidField } from '../http/request-checks.ts';

/** Characters as JSON. */
const LONGEST = 8192;
const PER_MINUTE = 60;

/** What pages of the console and the portal report by themselves. */
export const customEventsRpc: Slice<typeof EventsService> = {
  /** Written down as `custom.` and the type: nobody can make up an event that the server itself writes. */
  async sendCustomEvent(ctx, { eventType, event }, { caller }) {
    if (!/^[a-z][a-z0-9_.]{0,99}$/.test(eventType))
      throw invalidField(
        'event_type',
        'must be lower-case words, at most 100 characters',
        'pattern',
      );
    const data = event ?? {};
    checkJson('event', data, LONGEST);
    const key = `${caller.kind} ${idOf(caller)}`;
    const limit = { name: 'custom_events', key, windowSeconds: 60, max: PER_MINUTE };
    const { allowed, retryAfterSeconds } = await countAgainst(ctx, limit);
    if (!allowed)
      throw new ApiError('resource_exhausted', 'RATE_LIMITED', 'too many events in a minute', {
        retryAfter: retryAfterSeconds,
      });
    const organizationId = caller.kind === 'portal' ? caller.organizationId : undefined;
    const written = eventOf(ctx, { type: `custom.${eventType}`, organizationId, data });
    return { eventId: await recordNamed(ctx.db, written) };
  },
};

function idOf(caller: Caller): string {
  switch (caller.kind) {
    case 'operator':
      return caller.operatorId;
    case 'portal':
      return caller.portalSessionId;
    case 'session':
      return caller.sessionId;
    case 'environment-client':
      return caller.clientId;
    case 'anonymous':
      return '';
  }
}
