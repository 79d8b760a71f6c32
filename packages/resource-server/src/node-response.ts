import type { ServerResponse } from 'node:http';
import {
  type BodyRewriter,
  bodyFields,
  type Respond,
  type ResponseDuties,
  type ResponseHead,
} from './request.ts';

/**
 * Carries out the duties of a decision on a Node response that the handler has not touched yet. Every way of
 * sending a head ends in `writeHead`, of HTTP/1.1 as of HTTP/2, so that is where it is seen.
 */
export function attachDuties(response: ServerResponse, duties: ResponseDuties): void {
  announceHead(response, duties.started);
  if (duties.rewrite) rewriteBody(response, duties.rewrite);
  if (duties.untilOver) endWhenOver(response, duties.untilOver);
}

function announceHead(response: ServerResponse, started: ResponseDuties['started']): void {
  const { writeHead } = response;
  let seen = false;
  Object.assign(response, {
    writeHead(...args: unknown[]): unknown {
      if (!seen) started(headOf(response, args));
      seen = true;
      return Reflect.apply(writeHead, response, args);
    },
  });
}

/** Ends the response when its time is up. What the handler writes afterwards goes nowhere, which is not its fault. */
function endWhenOver(
  response: ServerResponse,
  untilOver: NonNullable<ResponseDuties['untilOver']>,
): void {
  const { end } = response;
  const cancel = untilOver(() => {
    if (response.writableEnded || response.destroyed) return;
    if (!response.headersSent) {
      response.destroy(); // nothing was said yet, and no status would be true
      return;
    }
    Reflect.apply(end, response, []);
    const { write, end: late } = silent(response);
    Object.assign(response, {
      write: (...args: unknown[]) => write(args),
      end: (...args: unknown[]) => late(args),
    });
  });
  response.once('close', cancel);
}

const methods = ['writeHead', 'flushHeaders', 'write', 'end'] as const;
type Methods = Readonly<Record<(typeof methods)[number], (args: readonly unknown[]) => unknown>>;

/**
 * Puts itself between the handler and the response. It stays there to the end, for others may have put
 * themselves above it.
 */
function rewriteBody(
  response: ServerResponse,
  choose: (head: ResponseHead) => BodyRewriter | undefined,
): void {
  const { writeHead, flushHeaders, write, end } = response;
  const own: Methods = {
    writeHead: (args) => Reflect.apply(writeHead, response, args),
    flushHeaders: () => Reflect.apply(flushHeaders, response, []),
    write: (args) => Reflect.apply(write, response, args),
    end: (args) => Reflect.apply(end, response, args),
  };
  let current: Methods | undefined;
  const become = (next: Methods): Methods => {
    current = next;
    return next;
  };
  for (const method of methods) {
    Object.assign(response, {
      [method](...args: unknown[]): unknown {
        if (!current) {
          const rewriter = choose(headOf(response, method === 'writeHead' ? args : []));
          if (!rewriter) become(own);
          else if (rewriter.kind === 'stream') become(inChunks(response, own, rewriter));
          else become(inOnePiece(response, own, rewriter, become));
        }
        return current?.[method](args);
      },
    });
  }
}

function inChunks(
  response: ServerResponse,
  own: Methods,
  { push, flush }: Extract<BodyRewriter, { kind: 'stream' }>,
): Methods {
  return {
    ...own,
    writeHead: (args) => own.writeHead(withoutBodyFields(response, args)),
    write(args) {
      const out = push(bytesOf(args));
      if (out.byteLength > 0) return own.write([out, callbackOf(args)]);
      callBack(args);
      return true;
    },
    end(args) {
      if (response.writableEnded) return own.end(args);
      const out = Buffer.concat([push(bytesOf(args)), flush()]);
      return own.end([out, callbackOf(args)]);
    },
  };
}

/** Holds head and body back until the end, or until the body is above the limit. */
function inOnePiece(
  response: ServerResponse,
  own: Methods,
  { finish, limitBytes }: Extract<BodyRewriter, { kind: 'whole' }>,
  become: (next: Methods) => Methods,
): Methods {
  const kept: Uint8Array[] = [];
  let size = 0;
  let held: readonly unknown[] | undefined;
  const isAbove = (args: readonly unknown[]): boolean => {
    const bytes = bytesOf(args);
    size += bytes.byteLength;
    kept.push(bytes);
    return size > limitBytes;
  };
  const send = (body: Uint8Array | undefined, done: (() => void) | undefined): unknown => {
    const result = finish(body);
    become(own);
    withoutBodyFields(response, []);
    if (!(result instanceof Uint8Array)) return own.end([answerInstead(response, result), done]);
    if (result.byteLength > 0) response.setHeader('content-length', result.byteLength);
    if (held) own.writeHead(withoutFields(held));
    return own.end([result, done]);
  };
  return {
    writeHead(args) {
      held = args;
      return response;
    },
    flushHeaders: () => undefined,
    write(args) {
      if (isAbove(args)) {
        send(undefined, undefined);
        become(silent(response));
      }
      callBack(args);
      return true;
    },
    end: (args) => send(isAbove(args) ? undefined : Buffer.concat(kept), callbackOf(args)),
  };
}

/** For a handler whose response was ended without it. */
function silent(response: ServerResponse): Methods {
  const ignore = (args: readonly unknown[]): ServerResponse => {
    callBack(args);
    return response;
  };
  return {
    writeHead: ignore,
    flushHeaders: ignore,
    write: (args) => Boolean(ignore(args)),
    end: ignore,
  };
}

/** Sets the head of another answer and returns its body. */
function answerInstead(response: ServerResponse, { status, headers, body }: Respond): string {
  response.removeHeader('content-encoding');
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  return body ?? '';
}

/** Removes what a head says about the body, from the response and from the arguments of `writeHead`. */
function withoutBodyFields(response: ServerResponse, args: readonly unknown[]): unknown[] {
  for (const name of bodyFields) response.removeHeader(name);
  return withoutFields(args);
}

function withoutFields(args: readonly unknown[]): unknown[] {
  const fields = fieldsOf(args).filter(([name]) => !bodyFields.includes(name.toLowerCase()));
  const before = args.filter((arg) => typeof arg === 'number' || typeof arg === 'string');
  return fields.length === 0 ? before : [...before, fields.flat()];
}

function headOf(response: ServerResponse, args: readonly unknown[]): ResponseHead {
  const fields = fieldsOf(args);
  return {
    status: typeof args[0] === 'number' ? args[0] : response.statusCode,
    header: (name) => {
      const given = fields.findLast(([key]) => key.toLowerCase() === name)?.[1];
      const value = given ?? response.getHeader(name);
      return value === undefined ? undefined : String(value);
    },
  };
}

/** The fields in the arguments of `writeHead`: an object, a list of names and values, or a list of pairs. */
function fieldsOf(args: readonly unknown[]): [name: string, value: unknown][] {
  const given = args.find((arg) => typeof arg === 'object' && arg !== null);
  if (given === undefined) return [];
  if (!Array.isArray(given)) return Object.entries(given);
  const list: readonly unknown[] = given;
  const flat = list.every(Array.isArray) ? list.flat() : list;
  return flat.flatMap((name, at): [string, unknown][] =>
    at % 2 === 0 ? [[String(name), flat[at + 1]]] : [],
  );
}

/** The first argument of `write` or `end`, where it is content. */
function bytesOf([chunk, encoding]: readonly unknown[]): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk !== 'string') return new Uint8Array();
  const known = typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8';
  return Buffer.from(chunk, known);
}

function callbackOf(args: readonly unknown[]): (() => void) | undefined {
  const last = args.findLast((arg) => typeof arg === 'function');
  return last === undefined ? undefined : () => Reflect.apply(last, undefined, []);
}

function callBack(args: readonly unknown[]): void {
  const done = callbackOf(args);
  if (done) queueMicrotask(done);
}
