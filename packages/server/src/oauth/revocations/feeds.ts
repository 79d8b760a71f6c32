import { findFeedHead, listRevocations, type Revocation } from '../../grants/revocations.store.ts';
import { signJwt } from '../../keys/signing-keys.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';
import { beginningFor, type Cursor, feedEntries, MOST_ENTRIES } from './feed-document.ts';

/** What is known of one MCP server's feed. */
export type Feed = Cursor & { readonly revocations: readonly Revocation[] };
/** A signed document that several callers may get. */
export type FeedDocument = { readonly epoch: string; readonly seq: number; readonly jwt: string };

type Signed = { readonly at: number; readonly document: Promise<FeedDocument> };
type Known = {
  /** Grows with each notification: what was read before it may be old. */
  generation: number;
  read: { feed: Feed; at: number; generation: number } | undefined;
  reading: { generation: number; feed: Promise<Feed> } | undefined;
  /** By the entry after which they begin; all of one feed. */
  signed: { feed: Feed; documents: Map<number, Signed> } | undefined;
};
type Feeds = {
  /** Stands for this opening of an embedded database, which nothing inside of it can tell from others. */
  readonly opened: string;
  readonly known: Map<string, Known>;
  readonly listeners: Set<(key: string | undefined) => void>;
};

/** A signed document serves everybody this long. */
const FRESH_MS = 2000;
/** Without notifications the database is asked this often, while anybody asks us. */
const LOOK_AGAIN_MS = 1000;
/** So soon after reading nothing is read again, whatever was announced: endings often come in crowds. */
const PAUSE_MS = 100;
/** Until when a signed document counts, in seconds (AS-124). */
const LIFETIME_SECONDS = 60;
const MOST_FEEDS = 1000;

const feedsOf = new WeakMap<object, Feeds>();

/** The name of a feed, as notifications spell it. */
export function feedKey(ctx: Pick<Ctx, 'environmentId'>, mcpServerId: string): string {
  return `${ctx.environmentId} ${mcpServerId}`;
}

/** Makes the feeds of a database ready; `onWritten` hears of each feed with new entries, and undefined when any may have some, until the returned function is called. */
export function openFeeds(
  app: Pick<Ctx, 'db' | 'random'>,
  onWritten: (key: string | undefined) => void,
): () => void {
  const opened = Buffer.from(app.random(16)).toString('base64url');
  const feeds = feedsOf.get(app.db) ?? { opened, known: new Map(), listeners: new Set() };
  feeds.listeners.add(onWritten);
  feedsOf.set(app.db, feeds);
  return () => void feeds.listeners.delete(onWritten);
}

/** For the channel `gatewarden_revocations`: somebody's transaction has written entries. */
export function revocationsWritten(db: object, payload: string): void {
  const feeds = feedsOf.get(db);
  if (!feeds) return;
  // An empty payload says that notifications were missed.
  const key = payload === '' ? undefined : payload;
  const concerned = key === undefined ? [...feeds.known.values()] : [feeds.known.get(key)];
  for (const known of concerned) if (known) known.generation += 1;
  for (const listener of feeds.listeners) listener(key);
}

/**
 * A server's feed as of now, at the latest of 0.1 s ago where something was announced since then, and of 1 s ago where nothing
 * was; never older than what a follower has seen, perhaps from another process. Many callers share one reading.
 *
 * @throws {DatabaseUnavailable} nothing older is given out instead: a document with a new date says that it is complete
 */
export async function currentFeed(
  ctx: Ctx,
  mcpServerId: string,
  cursor: Cursor | undefined,
): Promise<Feed> {
  const known = knownOf(ctx, mcpServerId);
  let feed = rememberedFeed(ctx, known) ?? (await readAgain(ctx, mcpServerId, known));
  // A reading that was under way when we came can be too old as well; the next one is not.
  for (let more = 2; more > 0 && isAhead(cursor, feed); more -= 1)
    feed = await (known.reading?.feed ?? startReading(ctx, mcpServerId, known));
  return feed;
}

function isAhead(cursor: Cursor | undefined, feed: Feed): boolean {
  return cursor?.epoch === feed.epoch && cursor.seq > feed.seq;
}

function rememberedFeed(ctx: Ctx, { generation, read }: Known): Feed | undefined {
  if (!read) return undefined;
  const age = ctx.now().getTime() - read.at;
  return age >= 0 && age < (read.generation === generation ? LOOK_AGAIN_MS : PAUSE_MS)
    ? read.feed
    : undefined;
}

const ATTEMPTS = 3;

/** Whoever waits for the next notification must not miss one that came while we were reading; in a crowd it waits a little longer. */
async function readAgain(ctx: Ctx, mcpServerId: string, known: Known): Promise<Feed> {
  for (let attempt = 1; ; attempt += 1) {
    const { generation, reading } = known;
    const feed = await (reading?.generation === generation
      ? reading.feed
      : startReading(ctx, mcpServerId, known));
    if (known.generation === generation || attempt === ATTEMPTS) return feed;
  }
}

function startReading(ctx: Ctx, mcpServerId: string, known: Known): Promise<Feed> {
  const { generation } = known;
  const at = ctx.now().getTime();
  const feed = readFeed(ctx, mcpServerId, known.read?.feed);
  const reading = { generation, feed };
  known.reading = reading;
  const done = (): void => {
    if (known.reading === reading) known.reading = undefined;
  };
  feed.then((found) => {
    done();
    if ((known.read?.generation ?? -1) <= generation) known.read = { feed: found, at, generation };
  }, done);
  return feed;
}

async function readFeed(ctx: Ctx, mcpServerId: string, last: Feed | undefined): Promise<Feed> {
  const { db, environmentId } = ctx;
  const by = { environmentId, mcpServerId };
  // The head first: entries that are read later than it can only be more.
  const head = await findFeedHead(db, by);
  const opened = db.engine === 'pglite' ? (feedsOf.get(db)?.opened ?? '') : '';
  const epoch = Buffer.from(sha256(`${head.origin} ${opened} ${feedKey(ctx, mcpServerId)}`))
    .toString('base64url')
    .slice(0, 22);
  if (last?.epoch === epoch && last.seq === Number(head.seq)) return last;
  const revocations = await listRevocations(db, { ...by, now: ctx.now(), limit: MOST_ENTRIES });
  const seq = Math.max(Number(head.seq), ...revocations.map((one) => Number(one.seq)));
  return { epoch, seq, revocations };
}

/**
 * The document for a follower that stands at `cursor`. All followers with the same need share one signature for two seconds.
 *
 * @throws {KeyStoreUnavailable} nothing can be signed
 */
export async function feedDocument(
  ctx: Ctx,
  place: { readonly mcpServerId: string; readonly issuer: string },
  feed: Feed,
  cursor: Cursor | undefined,
): Promise<FeedDocument> {
  const known = knownOf(ctx, place.mcpServerId);
  if (known.signed?.feed !== feed) known.signed = { feed, documents: new Map() };
  const { documents } = known.signed;
  const since = beginningFor(cursor, feed);
  const now = ctx.now();
  const age = now.getTime() - (documents.get(since)?.at ?? Number.NaN);
  const ready = age >= 0 && age < FRESH_MS ? documents.get(since) : undefined;
  if (ready) return await ready.document;
  const document = sign(ctx, place.issuer, feed, { since, now });
  const made = { at: now.getTime(), document };
  documents.set(since, made);
  document.catch(() => {
    if (documents.get(since) === made) documents.delete(since);
  });
  return await document;
}

async function sign(
  ctx: Ctx,
  issuer: string,
  { epoch, seq, revocations }: Feed,
  { since, now }: { readonly since: number; readonly now: Date },
): Promise<FeedDocument> {
  const iat = Math.floor(now.getTime() / 1000);
  const entries = feedEntries(revocations, now).filter((entry) => entry.seq > since);
  const claims = {
    iss: ctx.issuer,
    aud: `${issuer}/revocations`,
    iat,
    exp: iat + LIFETIME_SECONDS,
    epoch,
    seq,
    since,
    entries,
  };
  const jwt = await signJwt(ctx, { typ: TOKEN_KINDS.revocationFeed, claims });
  return { epoch, seq, jwt };
}

function knownOf(ctx: Ctx, mcpServerId: string): Known {
  const feeds = feedsOf.get(ctx.db);
  if (!feeds) throw new Error('the feeds of this database were not opened');
  const key = feedKey(ctx, mcpServerId);
  const known = feeds.known.get(key) ?? {
    generation: 0,
    read: undefined,
    reading: undefined,
    signed: undefined,
  };
  // Used last, forgotten last.
  feeds.known.delete(key);
  feeds.known.set(key, known);
  const [oldest] = feeds.known.keys();
  if (feeds.known.size > MOST_FEEDS && oldest !== undefined) feeds.known.delete(oldest);
  return known;
}
