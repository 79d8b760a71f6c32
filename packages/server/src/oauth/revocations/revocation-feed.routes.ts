import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { networkOf } from '../../environments/rate-limit.ts';
import { createWaitingRoom, type Seat, type WaitingRoom } from '../../http/waiting-room.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { OAuthError } from '../oauth-error.ts';
import { mountEndpoint } from '../token/endpoint.ts';
import { type Cursor, readCursor, readWait } from './feed-document.ts';
import { currentFeed, type Feed, feedDocument, feedKey, openFeeds } from './feeds.ts';

/** What shared caches may keep a document for, in seconds (AS-124). */
const MAX_AGE_SECONDS = 2;
/** How often a poll that waits looks by itself: a lost notification delays it no longer. */
const LOOK_AGAIN_MS = 1000;
const LIMITS = { perNetwork: 100, total: 5000, gatherMs: 100 };
const NETWORK = { ipv4Bits: 32, ipv6Bits: 64 };

/** The revocation feed of each MCP server (AS-124), of disabled and deleted ones too (AS-13). */
export function mountRevocationFeed(
  app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const room = createWaitingRoom(LIMITS);
  const stop = openFeeds(app, room.wake);
  http.addHook('preClose', (done) => {
    stop();
    room.close();
    done();
  });
  mountEndpoint(http, contextOf, {
    method: 'GET',
    paths: ['/resources/:rid/revocations'],
    answer: (ctx, at, request, reply) => answer(ctx, { at, room }, request, reply),
  });
}

async function answer(
  ctx: Ctx,
  { at, room }: { readonly at: Issuer; readonly room: WaitingRoom },
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!at.mcpServer)
    throw new OAuthError('not_found', 'there is no authorization server at this address');
  const place = { mcpServerId: at.mcpServer.id, issuer: at.issuer };
  const { after, wait } = queryOf(request);
  const cursor = readCursor(after);
  const poll = { cursor, milliseconds: request.method === 'HEAD' ? 0 : readWait(wait) * 1000 };
  const { feed, outcome } = await awaited(ctx, { room, reply }, place.mcpServerId, poll);
  const { jwt, epoch, seq } = await feedDocument(ctx, place, feed, cursor);
  if (outcome === 'full') reply.header('retry-after', String(MAX_AGE_SECONDS));
  return reply
    .header(
      'cache-control',
      outcome === 'waited' ? 'no-store' : `public, max-age=${MAX_AGE_SECONDS}`,
    )
    .header('etag', `"${epoch}.${seq}"`)
    .header('content-type', 'application/jwt')
    .send(Buffer.from(jwt));
}

type Poll = { readonly cursor: Cursor | undefined; readonly milliseconds: number };

/** The feed when it has something newer than the cursor, or when the time is over; at once where nobody may wait any more. */
async function awaited(
  ctx: Ctx,
  { room, reply }: { readonly room: WaitingRoom; readonly reply: FastifyReply },
  mcpServerId: string,
  { cursor, milliseconds }: Poll,
): Promise<{ feed: Feed; outcome: 'at-once' | 'waited' | 'full' }> {
  // Whoever goes away while we read is told of once only, and must not take a place afterwards.
  let here = !reply.raw.destroyed;
  let seat: Seat | undefined;
  reply.raw.once('close', () => {
    here = false;
    seat?.leave();
  });
  let feed = await currentFeed(ctx, mcpServerId, cursor);
  if (!here || milliseconds === 0 || !stands(cursor, feed)) return { feed, outcome: 'at-once' };
  seat = room.enter(networkOf(ctx.network.address, NETWORK));
  if (!seat) return { feed, outcome: 'full' };
  try {
    const end = performance.now() + milliseconds;
    while (here && room.isOpen && stands(cursor, feed)) {
      const left = end - performance.now();
      if (left <= 0) break;
      await seat.wait(feedKey(ctx, mcpServerId), Math.min(left, LOOK_AGAIN_MS));
      feed = await currentFeed(ctx, mcpServerId, cursor);
    }
  } finally {
    seat.leave();
  }
  return { feed, outcome: 'waited' };
}

/** Whether the follower has everything. */
function stands(cursor: Cursor | undefined, feed: Feed): boolean {
  return cursor?.epoch === feed.epoch && cursor.seq === feed.seq;
}

function queryOf({ query }: FastifyRequest): { after: unknown; wait: unknown } {
  if (typeof query !== 'object' || query === null) return { after: undefined, wait: undefined };
  return { after: Reflect.get(query, 'after'), wait: Reflect.get(query, 'wait') };
}
