/** The one way to talk to the database: SQL with values beside it, the same for PostgreSQL and for the embedded engine. */

export type Sql = { readonly text: string; readonly values: readonly unknown[] };

export type Db = {
  readonly engine: 'postgres' | 'pglite';
  /** Rows as selected: int8 is a bigint, timestamptz a Date, bytea a Uint8Array, json parsed, null stays null. */
  rows<T>(query: Sql): Promise<T[]>;
  /**
   * Runs `work` in one transaction; a call inside of another joins the outer one, and a joined call that fails dooms the whole.
   * `work` may touch nothing but the database: it runs again after a deadlock, a serialization failure or a changed plan.
   */
  transaction<T>(work: (db: Db) => Promise<T>): Promise<T>;
};

export type Database = Db & {
  /**
   * Calls `onMessage` for each NOTIFY on the channel, in order. An empty payload means that the connection was lost and
   * found again: messages may be missing, so forget what was cached. Returns the function that stops listening.
   */
  listen(channel: string, onMessage: (payload: string) => void): Promise<() => Promise<void>>;
  /** Waits for what is running, then lets go of all connections. */
  close(): Promise<void>;
  /** @throws {DatabaseUnavailable} the database does not answer */
  ping(): Promise<void>;
};

/** Connection refused or lost, no connection free in time, a time-out, shutdown: the caller may try later (HTTP 503). */
export class DatabaseUnavailable extends Error {
  override name = 'DatabaseUnavailable';
}

type Parts = { readonly strings: readonly string[]; readonly values: readonly unknown[] };

// What the tag has made. An object of the same shape from anywhere else (a request body, say) is a value and never text.
const made = new WeakMap<object, Parts>();
const scripts = new WeakSet<object>();
const jsonTexts = new WeakMap<object, string>();
const texts = new WeakMap<TemplateStringsArray, string>();

/**
 * sql`select … where id = ${id}`: each value becomes a parameter, never text. A nested sql`…` is spliced in. An array is one
 * parameter (`= any(${ids})`), a Uint8Array is bytea, undefined is null, and an object must go through json().
 */
export function sql(strings: TemplateStringsArray, ...values: unknown[]): Sql {
  if (!values.some(isMade)) {
    const text = texts.get(strings) ?? placeholders(strings);
    texts.set(strings, text);
    return remember({ strings, values }, text);
  }
  const parts = { strings: [strings[0] ?? ''], values: [] as unknown[] };
  for (const [index, value] of values.entries()) {
    const after = strings[index + 1] ?? '';
    const nested = isMade(value) ? made.get(value) : undefined;
    if (nested) {
      append(parts.strings, nested.strings[0] ?? '');
      parts.strings.push(...nested.strings.slice(1));
      parts.values.push(...nested.values);
      append(parts.strings, after);
    } else {
      parts.strings.push(after);
      parts.values.push(value);
    }
  }
  return remember(parts, placeholders(parts.strings));
}

export type Json = { readonly kind: 'json' };

/** Marks a value to be stored as json or jsonb. undefined is null, the SQL one. */
export function json(value: unknown): Json | undefined {
  const text = JSON.stringify(value);
  if (text === undefined) return undefined;
  const wrapped: Json = Object.freeze({ kind: 'json' });
  jsonTexts.set(wrapped, text);
  return wrapped;
}

/** Text of our own with any number of statements and no values. For migrations: never build it from anything that varies. */
export function script(text: string): Sql {
  const query = remember({ strings: [text], values: [] }, text);
  scripts.add(query);
  return query;
}

export function isScript(query: Sql): boolean {
  return scripts.has(query);
}

/** @throws {TypeError} the query was not made by sql`…` */
export function checkSql(query: Sql): void {
  if (!made.has(query)) throw new TypeError('a query is made with the sql tag');
}

/** @throws {TypeError} a name that would need quotes, which the engines fold differently */
export function checkChannel(channel: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(channel)) throw new TypeError('not a name for a channel');
  return channel;
}

export function jsonText(value: object): string | undefined {
  return jsonTexts.get(value);
}

/** True for a violated unique or primary key constraint (SQLSTATE 23505), of that name if one is given. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== '23505') return false;
  return constraint === undefined || ('constraint' in error && error.constraint === constraint);
}

function isMade(value: unknown): value is object {
  return typeof value === 'object' && value !== null && made.has(value);
}

function append(strings: string[], text: string): void {
  strings.push((strings.pop() ?? '') + text);
}

function placeholders(strings: readonly string[]): string {
  return strings.reduce(
    (text, part, index) => (index === 0 ? part : `${text}$${index}${part}`),
    '',
  );
}

function remember(parts: Parts, text: string): Sql {
  const query: Sql = Object.freeze({ text, values: parts.values });
  made.set(query, parts);
  return query;
}
