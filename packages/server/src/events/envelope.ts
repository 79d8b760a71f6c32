import { catalogued, displayNameOf, type EventObject } from './catalogue.ts';

/** An event as it is stored, without what only the audit log has. */
export type StoredEvent = {
  readonly environmentId: string;
  readonly id: bigint;
  readonly type: string;
  readonly occurredAt: Date;
  readonly organizationId: string | undefined;
  readonly userId: string | undefined;
  readonly clientId: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
};

/** An event as lists and webhooks show it (FSA-81). Members are in the names of the wire. */
export type Envelope = {
  readonly spec_version: '1';
  readonly id: string;
  readonly type: string;
  /** Absent for events that are not in the catalogue. */
  readonly object?: EventObject | undefined;
  /** RFC 3339, UTC. */
  readonly occurred_at: string;
  readonly environment_id: string;
  readonly organization_id?: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
  readonly display_name: string;
};

/** Ids of events have fifteen digits and more, where the database counts from 1. */
const FIRST_ID = 100_000_000_000_000n;
const LARGEST = 9_223_372_036_854_775_807n;

/** The id that others know an event by; it is also the `webhook-id` of its deliveries. */
export function eventIdOf(id: bigint): string {
  return `evt_${FIRST_ID + id}`;
}

/** The stored id of an event; undefined when it cannot be one. */
export function storedIdOf(eventId: string): bigint | undefined {
  if (!/^evt_[0-9]{15,19}$/.test(eventId)) return undefined;
  const id = BigInt(eventId.slice('evt_'.length)) - FIRST_ID;
  return id >= 0n && id <= LARGEST ? id : undefined;
}

/** The envelope of an event. Roles and permissions name no organization, whosever they are. */
export function envelopeOf(event: StoredEvent): Envelope {
  const entry = catalogued(event.type);
  const named = entry?.object !== 'Role' && entry?.object !== 'Permission';
  return {
    spec_version: '1',
    id: eventIdOf(event.id),
    type: event.type,
    object: entry?.object,
    occurred_at: event.occurredAt.toISOString(),
    environment_id: event.environmentId,
    organization_id: named ? event.organizationId : undefined,
    data: withId(event, entry?.object),
    display_name: entry?.displayName ?? displayNameOf(event.type),
  };
}

/** Events of people and clients say whom they are about, also where the event itself says nothing else. */
function withId(
  { data, userId, clientId, type }: StoredEvent,
  object: EventObject | undefined,
): Readonly<Record<string, unknown>> {
  const id = object === 'Client' ? clientId : object === 'User' ? userId : undefined;
  const nested = type === 'user.login' || type === 'user.logout';
  return id === undefined || nested || 'id' in data ? data : { id, ...data };
}
