/** One request. `rawPath` replaces path and query of the URL exactly as written, dot segments included. */
export type Request = {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'DELETE';
  readonly url: string;
  readonly rawPath?: string | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  readonly body?: string | undefined;
  /** In milliseconds. @default that of the examination */
  readonly timeoutMs?: number | undefined;
};

export type Answer = {
  readonly kind: 'answer';
  readonly method: string;
  readonly url: string;
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** At most 64 KiB. */
  readonly text: string;
  /** False: it was larger, slower or broke off. */
  readonly complete: boolean;
};

export type FailureReason =
  | 'bad-url'
  | 'name'
  | 'blocked-address'
  | 'connection'
  | 'tls'
  | 'timeout'
  | 'protocol';

export type Failure = {
  readonly kind: 'failed';
  readonly url: string;
  readonly reason: FailureReason;
  readonly detail: string;
};

export type Outcome = Answer | Failure;

export type HttpClient = {
  /** Never rejects for what a server does; only when the examination is aborted. */
  readonly send: (request: Request) => Promise<Outcome>;
  /** Requests sent so far. */
  readonly count: () => number;
  readonly close: () => Promise<void>;
};

/** All values of a header as one, as HTTP joins them; undefined when it is absent. */
export function header(answer: Answer, name: string): string | undefined {
  return answer.headers.get(name)?.join(', ');
}

/** Request and answer in one line, as the server wrote it: a finding makes it fit to print. */
export function evidenceOf(outcome: Outcome, names: readonly string[] = []): string {
  if (outcome.kind === 'failed') return `${outcome.url}: ${outcome.detail}`;
  const headers = names.flatMap((name) => {
    const value = header(outcome, name);
    return value === undefined ? [] : [`${name}: ${value}`];
  });
  const status = `${outcome.method} ${outcome.url} answered ${outcome.status}`;
  return [status, ...headers].join('; ');
}

/** The JSON value of an answer; undefined when it is none. */
export function jsonOf(answer: Answer): unknown {
  return parseJson(answer.text);
}

/** Deeper than any document that is meant, and far from what ends the stack when it is written again. */
const MOST_LEVELS = 64;

/** The JSON value of a stranger's text; undefined when it is none, or is nested as only an attack is. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isNestedWithin(value, MOST_LEVELS) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isNestedWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((one) => isNestedWithin(one, levels - 1));
}

/** A JSON object of an answer; undefined when it is anything else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? // Checked above: an object whose members are still unknown.
      (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** A member that is an array of strings; other elements are left out, undefined when it is no array. */
export function stringsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined;
}
