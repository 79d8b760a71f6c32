import type { McpServer } from '../mcp/mcp-servers.ts';
import type { Ctx } from '../runtime/context.ts';
import { rowCache } from '../storage/row-cache.ts';
import type { Client } from './client.ts';
import { type ClientRecord, findClientRecord } from './clients.store.ts';

/** Where a client shows up: the MCP server of the endpoint, absent at E, and how fresh its document must be. */
export type ClientUse = {
  readonly mcpServer?: McpServer | undefined;
  readonly purpose: 'authorize' | 'token';
  /** Introspection and the feed: an environment client is at home at every server (AS-123). */
  readonly environmentClients?: boolean | undefined;
};

export type ClientResolution =
  | { readonly kind: 'found'; readonly client: Client }
  /** Never existed, is switched off, or was removed: then with the moment. */
  | { readonly kind: 'unknown'; readonly tombstoneAt?: Date }
  /** It belongs to another server, or to the other kind of issuer (AS-7, AS-64). */
  | { readonly kind: 'not-here' }
  /** Metadata documents are switched off at this server (AS-83). */
  | { readonly kind: 'switched-off' }
  | { readonly kind: 'host-not-allowed'; readonly host: string }
  /** The document cannot be had; the detail is for the timeline, and for people only in development (AS-79). */
  | { readonly kind: 'unreachable'; readonly url: string; readonly detail: string }
  /** The document breaks a rule; the detail is the reason in words, for everybody. */
  | { readonly kind: 'invalid-document'; readonly url: string; readonly detail: string }
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number };

const remembered = rowCache<ClientRecord>('clients');

/** A client with its secrets as of at most 30 seconds ago; tombstones too. */
export async function clientRecord(
  ctx: Pick<Ctx, 'db' | 'environmentId' | 'now'>,
  id: string,
): Promise<ClientRecord | undefined> {
  return await remembered(ctx, ctx.environmentId, id, () =>
    findClientRecord(ctx.db, { environmentId: ctx.environmentId, id }),
  );
}
