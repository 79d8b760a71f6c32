import type { ServerResponse } from 'node:http';
import {
  type BodyRewriter,
  bodyFields,
  type Respond,
  type ResponseDuties,
  type ResponseHead,
} from './request.ts';
import { afterMs } from './runtime/wait.ts';

/**
 * Carries out the duties of a decision on a Node response that the handler has not touched yet. Every way of
 * sending a head ends in `writeHead`, of HTTP/1.1 as of HTTP/2, so that is where it is seen.
 */
export function attachDuties(response: ServerResponse, duties: ResponseDuties): void {
  if (duties.rewrite) rewriteBody(response, duties.rewrite);
  announceHead(response, duties.started);
  if (duties.endAfterMs !== undefined) endAfter(response, duties.endAfterMs);
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
function endAfter(response: ServerResponse, ms: number): void {
  const { end } = response;
  const cancel = afterMs(ms, () => {
    if (response.writableEnded) return;
    if (!response.headersSent) {
      response.destroy(); // nothing was said yet, and no status would be true
      return;
    }
    Object.assign(response, {
      write(...args: unknown[]): boolean {
        callBack(args);
        return true;
      },
      end(...args: unknown[]): ServerResponse {
        callBack(args);
        return response;
      },
    });
    Reflect.apply(end, response, []);
  });
  response.once('close', cancel);
}

function rewriteBody(
  response: ServerResponse,
  choose: (head: ResponseHead) => BodyRewriter | undefined,
): void {
  const { writeHead, write, end, flushHeaders } = response;
  const kept: Uint8Array[] = [];
  let size = 0;
  let held: unknown[] = [];
  let chosen: { readonly rewriter: BodyRewriter | undefined } | undefined;
  const rewriterFor = (args: readonly unknown[]): BodyRewriter | undefined => {
    chosen ??= { rewriter: choose(headOf(response, args)) };
    return chosen.rewriter;
  };
  const keep = (bytes: Uint8Array, limit: number): void => {
    size += bytes.byteLength;
    if (size > limit) kept.length = 0;
    else kept.push(bytes);
  };
  Object.assign(response, {
    writeHead(...args: unknown[]): unknown {
      const rewriter = rewriterFor(args);
      if (!rewriter) return Reflect.apply(writeHead, response, args);
      held = withoutBodyFields(response, args);
      return rewriter.kind === 'stream' ? Reflect.apply(writeHead, response, held) : response;
    },
    flushHeaders(): void {
      const rewriter = rewriterFor([response.statusCode]);
      if (rewriter?.kind !== 'whole') Reflect.apply(flushHeaders, response, []);
    },
    write(...args: unknown[]): unknown {
      const rewriter = rewriterFor([response.statusCode]);
      if (!rewriter) return Reflect.apply(write, response, args);
      const bytes = bytesOf(args);
      const out = rewriter.kind === 'stream' ? rewriter.push(bytes) : undefined;
      if (rewriter.kind === 'whole') keep(bytes, rewriter.limitBytes);
      if (out?.byteLength) return Reflect.apply(write, response, [out, callbackOf(args)]);
      callBack(args);
      return true;
    },
    end(...args: unknown[]): unknown {
      const rewriter = rewriterFor([response.statusCode]);
      if (!rewriter || response.writableEnded) return Reflect.apply(end, response, args);
      const bytes = bytesOf(args);
      if (rewriter.kind === 'stream') {
        const out = Buffer.concat([rewriter.push(bytes), rewriter.flush()]);
        return Reflect.apply(end, response, [out, callbackOf(args)]);
      }
      keep(bytes, rewriter.limitBytes);
      const body = rewriter.finish(size > rewriter.limitBytes ? undefined : Buffer.concat(kept));
      Object.assign(response, { writeHead, write, end, flushHeaders });
      if (body instanceof Uint8Array) {
        withoutBodyFields(response, []);
        if (body.byteLength > 0) response.setHeader('content-length', body.byteLength);
        if (held.length > 0) Reflect.apply(writeHead, response, held);
      } else {
        answerInstead(response, body);
      }
      const sent = body instanceof Uint8Array ? body : (body.body ?? '');
      return Reflect.apply(end, response, [sent, callbackOf(args)]);
    },
  });
}

function answerInstead(response: ServerResponse, { status, headers }: Respond): void {
  withoutBodyFields(response, []);
  response.removeHeader('content-encoding');
  response.statusCode = status;
  response.statusMessage = '';
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

/** Removes those fields from the response and from the arguments of `writeHead`. */
function withoutBodyFields(response: ServerResponse, args: readonly unknown[]): unknown[] {
  for (const name of bodyFields) response.removeHeader(name);
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
