import { mattersUntil } from '../../grants/revocation-handles.ts';
import type { Revocation } from '../../grants/revocations.store.ts';

/** One line of a document. Times in seconds; `until` is when it can be forgotten. */
export type FeedEntry = { readonly seq: number; readonly until: number } & (
  | { readonly handle: string }
  | { readonly jti: string }
  | { readonly kid: string }
  | { readonly before: number }
);

/** A whole document, signed, has at most this many bytes (AS-124). */
const MOST_BYTES = 262_144;
/** Header, signature and the other claims, with room to spare. */
const OTHER_BYTES = 4096;
const MOST_ENTRY_BYTES = Math.floor(((MOST_BYTES - OTHER_BYTES) * 3) / 4);
/** No entry is shorter than 45 bytes, so more than these of one kind are never needed. */
export const MOST_ENTRIES = Math.ceil(MOST_ENTRY_BYTES / 45);
/**
 * A token from a moment that is older by this than an entry cannot have come after the entry took effect: the time an ending may
 * wait for locks, and differences between the clocks of several processes.
 */
const SETTLED_MS = 120_000;

/**
 * The entries of a complete document, in order. When they are too many, the oldest give way to one entry "everything issued
 * before T", where T is when the newest of them had settled: that refuses no token which is younger, so the more a server
 * revokes, the sooner its old tokens have to be renewed. Withdrawn keys stay by name: whoever has one can sign any `iat`.
 *
 * @param revocations as `listRevocations` gives them
 */
export function feedEntries(revocations: readonly Revocation[], now: Date): FeedEntry[] {
  const live = revocations
    .filter((one) => one.mattersUntil > now)
    .sort((a, b) => Number(b.seq - a.seq));
  const keys = live.filter(({ kind }) => kind === 'kid');
  const others = live.filter(({ kind }) => kind !== 'kid');
  let bytes = 0;
  const kept: FeedEntry[] = [];
  for (const revocation of keys) {
    const entry = entryOf(revocation);
    bytes += sizeOf(entry);
    if (bytes > MOST_ENTRY_BYTES / 2) break;
    kept.push(entry);
  }
  for (const revocation of others) {
    const entry = entryOf(revocation);
    bytes += sizeOf(entry);
    if (bytes > MOST_ENTRY_BYTES) {
      kept.push(everythingUntil(revocation, now));
      break;
    }
    kept.push(entry);
  }
  return kept.sort((a, b) => a.seq - b.seq);
}

function everythingUntil({ seq, createdAt }: Revocation, now: Date): FeedEntry {
  const settled = new Date(Math.min(createdAt.getTime() + SETTLED_MS, now.getTime()));
  return {
    seq: Number(seq),
    // `iat` is rounded down, so this is rounded up.
    before: Math.floor(settled.getTime() / 1000) + 1,
    until: secondsUp(mattersUntil(settled)),
  };
}

function entryOf({ seq, kind, value, mattersUntil: end }: Revocation): FeedEntry {
  const line = { seq: Number(seq), until: secondsUp(end) };
  switch (kind) {
    case 'handle':
      return { ...line, handle: value };
    case 'jti':
      return { ...line, jti: value };
    case 'kid':
      return { ...line, kid: value };
    case 'before':
      return { ...line, before: Number(value) };
  }
}

function sizeOf(entry: FeedEntry): number {
  return Buffer.byteLength(JSON.stringify(entry)) + 1;
}

function secondsUp(time: Date): number {
  return Math.ceil(time.getTime() / 1000);
}

/** Where a follower stands: `epoch.seq`, as it was in the last document. */
export type Cursor = { readonly epoch: string; readonly seq: number };

/** Nothing for what is no cursor: the follower gets the complete document. */
export function readCursor(text: unknown): Cursor | undefined {
  if (typeof text !== 'string') return undefined;
  const [, epoch, seq] = /^([\w-]{1,64})\.(0|[1-9]\d{0,14})$/.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch, seq: Number(seq) };
}

const LONGEST_WAIT_SECONDS = 30;

/** Seconds that a follower wants to wait, as far as that is granted; what is no whole number asks for no waiting. */
export function readWait(text: unknown): number {
  if (typeof text !== 'string' || !/^[0-9]{1,4}$/.test(text)) return 0;
  return Math.min(Number(text), LONGEST_WAIT_SECONDS);
}

/** Followers that are this close get exactly what they lack. */
const EXACT = 32;

/**
 * After which entry a follower's document begins. Whatever followers say, there are few different documents to sign: those who
 * are far behind get up to twice of what they lack.
 */
export function beginningFor(cursor: Cursor | undefined, feed: Cursor): number {
  if (cursor?.epoch !== feed.epoch || cursor.seq > feed.seq) return 0;
  const behind = feed.seq - cursor.seq;
  if (behind <= EXACT) return cursor.seq;
  return Math.max(0, feed.seq - 2 ** Math.ceil(Math.log2(behind)));
}
