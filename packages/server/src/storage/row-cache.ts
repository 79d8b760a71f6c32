import type { Db } from './db.ts';

/**
 * Rows that each process may remember for a short while: clients, MCP servers, environments. A change reaches every process by
 * NOTIFY (`forgetRow`), and a remembered row is read again after 30 seconds whatever happens, so a lost notification delays a
 * change and never hides it. The cache hangs on the database object: two servers in one process share nothing.
 */
export type RowCache<T> = (
  ctx: { readonly db: Db; readonly now: () => Date },
  environmentId: string,
  id: string,
  load: () => Promise<T | undefined>,
) => Promise<T | undefined>;

type Entry = { value: unknown; readAt: number };
type Cache = { tables: Map<string, Map<string, Entry>>; generations: Map<string, number> };

const LONGEST_MS = 30_000;
const MOST_ENTRIES = 20_000;
const caches = new WeakMap<object, Cache>();

/** Call once with each database that is opened; inside a transaction nothing is remembered. */
export function rememberRowsOf(db: Db): void {
  caches.set(db, { tables: new Map(), generations: new Map() });
}

export function rowCache<T>(table: string): RowCache<T> {
  return async (ctx, environmentId, id, load) => {
    const cache = caches.get(ctx.db);
    if (!cache) return await load();
    const rows = rowsOf(cache, table);
    const key = JSON.stringify([environmentId, id]);
    const known = rows.get(key);
    const now = ctx.now().getTime();
    // Only this closure writes to this table's entries, so the value has its type.
    if (known && now - known.readAt < LONGEST_MS && now >= known.readAt) return known.value as T;
    const before = cache.generations.get(table) ?? 0;
    const value = await load();
    // A change that was announced while we were reading may be newer than what we read.
    if (value !== undefined && (cache.generations.get(table) ?? 0) === before) {
      if (rows.size >= MOST_ENTRIES) rows.clear();
      rows.set(key, { value, readAt: now });
    }
    return value;
  };
}

/** Forgets what a notification on the channel `gatewarden_rows` names; an unreadable one forgets everything. */
export function forgetRow(db: Db, payload: string): void {
  const cache = caches.get(db);
  if (!cache) return;
  const named = parse(payload);
  if (!named) {
    forgetAllRows(db);
    return;
  }
  cache.generations.set(named.table, (cache.generations.get(named.table) ?? 0) + 1);
  rowsOf(cache, named.table).delete(JSON.stringify([named.environmentId, named.id]));
}

/** After a lost connection nobody knows what was missed. */
export function forgetAllRows(db: Db): void {
  const cache = caches.get(db);
  if (!cache) return;
  for (const [table, rows] of cache.tables) {
    cache.generations.set(table, (cache.generations.get(table) ?? 0) + 1);
    rows.clear();
  }
}

function rowsOf(cache: Cache, table: string): Map<string, Entry> {
  const rows = cache.tables.get(table) ?? new Map<string, Entry>();
  cache.tables.set(table, rows);
  return rows;
}

function parse(payload: string): { table: string; environmentId: string; id: string } | undefined {
  try {
    const value: unknown = JSON.parse(payload);
    if (
      typeof value !== 'object' ||
      value === null ||
      !('table' in value) ||
      !('environment_id' in value) ||
      !('id' in value)
    )
      return undefined;
    if (
      typeof value.table !== 'string' ||
      typeof value.environment_id !== 'string' ||
      typeof value.id !== 'string'
    )
      return undefined;
    return { table: value.table, environmentId: value.environment_id, id: value.id };
  } catch {
    return undefined;
  }
}
