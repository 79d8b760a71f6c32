import type { FastifyRequest } from 'fastify';
import { RequestError } from './request-error.ts';

/** Parameters as RFC 6749 §3.1 and Appendix B want them read. */
export type Parameters = {
  /** The first value of each parameter. A parameter without a value counts as not sent. No prototype. */
  readonly params: Readonly<Record<string, string>>;
  /** Each `resource`, in order (RFC 8707 §2: it may occur more than once). */
  readonly resources: readonly string[];
  /** Names, other than `resource` and the lists asked for, that occurred more than once: an error, whose form the endpoint decides (AS-21). */
  readonly duplicates: readonly string[];
  /** Values of the fields that the caller said may repeat. No prototype. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
};

export type ReadOptions = {
  /** Fields of a page that may repeat, such as check boxes. They are only in `lists`. */
  readonly lists?: readonly string[];
};

const MAX_PARAMETERS = 200;
const MAX_NAME = 200;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The form of a POST (`application/x-www-form-urlencoded`, UTF-8). Parameters in the query are not looked at (AS-84).
 *
 * @throws {RequestError} 400: another media type, malformed escapes, invalid UTF-8, NUL, too many fields
 */
export function readForm(request: FastifyRequest, options: ReadOptions = {}): Parameters {
  const type = request.headers['content-type'];
  if (!isForm(type)) {
    throw new RequestError(
      400,
      'the body must be a form: Content-Type application/x-www-form-urlencoded',
    );
  }
  const body: unknown = request.body;
  if (body === undefined || body === null) return parseParameters('', options);
  if (!(body instanceof Uint8Array)) throw new RequestError(400, 'the form cannot be read');
  return parseParameters(decodeUtf8(body), options);
}

/**
 * The parameters of the query.
 *
 * @throws {RequestError} 400: malformed escapes, invalid UTF-8, NUL, too many parameters
 */
export function readQuery(request: FastifyRequest, options: ReadOptions = {}): Parameters {
  const url = request.raw.url ?? '';
  const start = url.indexOf('?');
  return parseParameters(start < 0 ? '' : url.slice(start + 1), options);
}

/** The parser behind both. Strict: what a lenient parser would guess at is refused. */
export function parseParameters(text: string, options: ReadOptions = {}): Parameters {
  const params: Record<string, string> = Object.create(null);
  const lists: Record<string, string[]> = Object.create(null);
  for (const name of options.lists ?? []) lists[name] = [];
  const resources: string[] = [];
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  const pairs = text === '' ? [] : text.split('&', MAX_PARAMETERS + 1);
  if (pairs.length > MAX_PARAMETERS) throw new RequestError(400, 'there are too many parameters');
  for (const pair of pairs) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    if (name === '' || name.length > MAX_NAME)
      throw new RequestError(400, 'a parameter has no usable name');
    if (name === 'resource') {
      if (value !== '') resources.push(value);
      continue;
    }
    const list = lists[name];
    if (list) {
      if (value !== '') list.push(value);
      continue;
    }
    if (seen.has(name)) duplicates.add(name);
    else if (value !== '') params[name] = value;
    seen.add(name);
  }
  return { params, resources, duplicates: [...duplicates], lists };
}

/** Whether a media type is that of a form; a charset other than UTF-8 is not ours to guess. */
export function isForm(contentType: string | undefined): boolean {
  return (
    contentType !== undefined &&
    /^application\/x-www-form-urlencoded\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(contentType)
  );
}

function decode(text: string): string {
  let value: string;
  try {
    value = decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new RequestError(400, 'a parameter is not correctly encoded');
  }
  if (value.includes('\0')) throw new RequestError(400, 'a parameter holds a NUL character');
  return value;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new RequestError(400, 'the form is not UTF-8');
  }
}
