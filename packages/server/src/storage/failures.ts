import { DatabaseUnavailable } from './db.ts';

const CONNECTION = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
]);
// admin_shutdown, crash_shutdown, cannot_connect_now, query_canceled (our statement time-out), idle_in_transaction_session_timeout,
// read_only_sql_transaction (a former primary after a failover). Classes 08 (connection), 53 (no room, no memory, no slot) and
// 58 (the operating system failed the server) too.
const UNAVAILABLE = new Set(['57P01', '57P02', '57P03', '57014', '25P03', '25006']);
const DRIVER =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client was closed|not queryable|after calling end|PGlite is clos/;
// serialization_failure, deadlock_detected
const REPEATABLE = new Set(['40001', '40P01']);

/**
 * What a failed statement throws: DatabaseUnavailable when trying later may help, otherwise a plain Error with `code`
 * (SQLSTATE), `constraint` and `table`. Drivers attach parameters and quote values, which may be secrets: those are dropped.
 */
export function failureOf(error: unknown): Error {
  if (error instanceof DatabaseUnavailable) return error;
  const code = textOf(error, 'code');
  const message = error instanceof Error ? error.message : String(error);
  const timedOut = code === '55P03' && message.includes('timeout');
  const gone =
    code !== undefined &&
    (CONNECTION.has(code) || UNAVAILABLE.has(code) || /^(08|53|58)/.test(code));
  // A trap inside of WebAssembly leaves the embedded engine unusable.
  const trapped = error instanceof Error && error.name === 'RuntimeError';
  if (gone || timedOut || trapped || (code === undefined && DRIVER.test(message))) {
    return new DatabaseUnavailable(`the database does not answer: ${message || code}`);
  }
  if (!isSqlState(code)) return error instanceof Error ? error : new Error(message);
  const failure = new Error(withoutValues(message));
  failure.name = 'StatementFailed';
  return Object.assign(failure, {
    code,
    constraint: textOf(error, 'constraint'),
    table: textOf(error, 'table'),
    routine: textOf(error, 'routine'),
  });
}

/** The statement changed nothing and may succeed when sent again: deadlock or serialization failure. */
export function isRepeatable(error: unknown): boolean {
  return REPEATABLE.has(textOf(error, 'code') ?? '');
}

/** A prepared statement's columns changed under it, as each rolling migration does (0A000 is used for more than that). */
export function isStalePlan(error: unknown): boolean {
  return (
    textOf(error, 'code') === '0A000' && error instanceof Error && /cached plan/.test(error.message)
  );
}

function isSqlState(code: string | undefined): code is string {
  return code !== undefined && /^(\d[0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/.test(code);
}

/** `invalid input syntax for type uuid: "…"` and its like end in the value that was sent. */
function withoutValues(message: string): string {
  return message.replace(/: ".*$/s, '');
}

function textOf(error: unknown, key: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' ? value : undefined;
}
