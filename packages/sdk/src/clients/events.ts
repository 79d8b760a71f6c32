import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import {
  type EventFilterSchema,
  EventsService,
  type ListEventsPaginatedResponse,
} from '@gatewarden/contract/scalekit/v1/events/events_pb';
import { given, type PageOptions, pageArguments } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

type Filter = MessageInitShape<typeof EventFilterSchema>;

/** What happened in the environment. Every method throws a `ScalekitServerException`. */
export class EventsClient {
  readonly #rpc: Client<typeof EventsService>;

  constructor(calls: Calls) {
    this.#rpc = calls(EventsService);
  }

  listEventsPaginated(
    options?: PageOptions & { readonly filter?: Filter },
    call?: CallOptions,
  ): Promise<ListEventsPaginatedResponse>;
  listEventsPaginated(
    pageSize?: number,
    pageToken?: string,
    filter?: Filter,
    call?: CallOptions,
  ): Promise<ListEventsPaginatedResponse>;
  listEventsPaginated(
    first?: number | (PageOptions & { readonly filter?: Filter }),
    second?: string | CallOptions,
    third?: Filter,
    fourth?: CallOptions,
  ): Promise<ListEventsPaginatedResponse> {
    const { page, call } = pageArguments(first, second, fourth);
    const filter = typeof first === 'object' && first !== null ? first.filter : third;
    return this.#rpc.listEventsPaginated({ ...page, ...given({ filter }) }, call);
  }
}
