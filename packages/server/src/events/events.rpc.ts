import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import {
  type EventsService,
  type EventFilter as Filter,
  ObjectType,
  type ScalekitEventSchema,
  Source,
} from '@gatewarden/contract/scalekit/v1/events/events_pb';
import type { Caller } from '../http/callers.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { momentOf, timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { envelopeOf, type StoredEvent } from './envelope.ts';
import { countEvents, type EventFilter, listEvents } from './events.store.ts';

const MOST_LISTED = 100;
const MOST_TYPES = 100;
/** `total_size` goes no further. */
const MOST_COUNTED = 10_000;

/** What happened in the environment, with what only the audit log has: types that no endpoint is told of have no object. */
export const eventsRpc: Slice<typeof EventsService> = {
  async listEvents(ctx, request, { caller }) {
    const filter = filterOf(request.filter, caller);
    return {
      ...(await part(ctx, request, filter)),
      totalSize: await countEvents(ctx.db, {
        environmentId: ctx.environmentId,
        filter,
        most: MOST_COUNTED,
      }),
    };
  },

  async listEventsPaginated(ctx, request, { caller }) {
    return await part(ctx, request, filterOf(request.filter, caller));
  },
};

type Asked = { readonly pageSize: number; readonly pageToken: string };

async function part(ctx: Ctx, asked: Asked, filter: EventFilter) {
  const list = `events ${JSON.stringify(filter)}`;
  const page = readPage(ctx, list, {
    pageToken: asked.pageToken,
    pageSize: Math.min(asked.pageSize, MOST_LISTED),
  });
  const rows = await listEvents(ctx.db, { environmentId: ctx.environmentId, filter, page });
  const { items, ...tokens } = pageOf(
    ctx,
    list,
    page,
    rows.map((event) => ({ id: event.eventId, event })),
  );
  return { ...tokens, events: items.map(({ event }) => messageOf(event)) };
}

/** @throws {ApiError} invalid_argument: a member that cannot be, or a span that ends before it begins */
function filterOf(filter: Filter | undefined, caller: Caller): EventFilter {
  const types = filter?.eventTypes ?? [];
  if (types.length > MOST_TYPES)
    throw invalidField('filter.event_types', `must be at most ${MOST_TYPES}`, 'repeated.max_items');
  const asked = {
    organizationId: filter?.organizationId || undefined,
    authRequestId: filter?.authRequestId || undefined,
    interceptorId: filter?.interceptorId || undefined,
    interceptorStatus: filter?.interceptorStatus || undefined,
    interceptorDecision: filter?.interceptorDecision || undefined,
    connectionId: filter?.connectionId || undefined,
  };
  checkText('filter.', { event_types: types, texts: Object.values(asked).map(String) });
  if (asked.organizationId !== undefined)
    checkId('filter.organization_id', asked.organizationId, 'org');
  const start = filter?.startTime && momentOf('filter.start_time', filter.startTime);
  const end = filter?.endTime && momentOf('filter.end_time', filter.endTime);
  if (start && end && start > end)
    throw invalidField('filter.start_time', 'is after end_time', 'range');
  const wanted: EventFilter = {
    ...asked,
    types,
    start,
    end,
    source: sourceOf(filter?.source ?? Source.SOURCE_UNSPECIFIED),
    // Accounts connected for agents are nothing that this server has.
    nothing: Boolean(filter?.connectedAccountId),
  };
  return caller.kind === 'portal' || caller.kind === 'session' ? ofOne(wanted, caller) : wanted;
}

/** Whoever may see one organization only sees what its endpoints would be told of it. */
function ofOne(
  filter: EventFilter,
  { organizationId }: { readonly organizationId: string | undefined },
): EventFilter {
  const others = filter.organizationId !== undefined && filter.organizationId !== organizationId;
  return {
    ...filter,
    organizationId,
    catalogueOnly: true,
    nothing: filter.nothing || others || organizationId === undefined,
  };
}

function sourceOf(source: Source): EventFilter['source'] {
  switch (source) {
    case Source.SCALEKIT:
      return 'others';
    case Source.DIR_SYNC:
      return 'directories';
    case Source.SOURCE_UNSPECIFIED:
      return undefined;
    default:
      throw invalidField('filter.source', 'is not one of this contract', 'enum');
  }
}

function messageOf(event: StoredEvent): MessageInitShape<typeof ScalekitEventSchema> {
  const envelope = envelopeOf(event);
  return {
    specVersion: envelope.spec_version,
    id: envelope.id,
    type: envelope.type,
    object: OBJECTS[envelope.object ?? ''] ?? ObjectType.OBJECT_TYPE_UNSPECIFIED,
    occurredAt: timestampOf(event.occurredAt),
    environmentId: envelope.environment_id,
    ...(envelope.organization_id !== undefined && { organizationId: envelope.organization_id }),
    data: envelope.data as JsonObject, // it was stored as JSON
    displayName: envelope.display_name,
  };
}

/** Objects that the contract has a number for; those of ours have none. */
const OBJECTS: Readonly<Record<string, ObjectType>> = {
  Organization: ObjectType.Organization,
  OrgMembership: ObjectType.OrgMembership,
  User: ObjectType.User,
  Directory: ObjectType.Directory,
  DirectoryUser: ObjectType.DirectoryUser,
  DirectoryGroup: ObjectType.DirectoryGroup,
  Connection: ObjectType.Connection,
  Role: ObjectType.Role,
  Permission: ObjectType.Permission,
  Session: ObjectType.Session,
};
