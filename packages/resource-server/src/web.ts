import type { McpAuth } from './auth.ts';
import { collectBytes } from './collected-bytes.ts';
import type { McpGuard } from './protect-mcp.ts';
import type { Headers as AddedHeaders, BodyRead, GuardRequest } from './request.ts';
import { dutifulResponse } from './web-response.ts';

/** Handles a request the guard has let through. `auth` is absent for public paths, `body` for everything but POST. */
export type McpHandler = (
  request: Request,
  admitted: { readonly auth: McpAuth | undefined; readonly body: unknown },
) => Response | Promise<Response>;

/**
 * Puts a guard in front of a web-standard handler: `(request) => response`, as Deno, Bun, Workers and most
 * frameworks have it. The handler gets the parsed body and a request whose body can still be read.
 */
export function guardFetch(
  guard: McpGuard,
  handler: McpHandler,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const decision = await guard.decide(describe(request));
    if (decision.kind === 'respond') {
      const body = request.method === 'HEAD' ? null : (decision.body ?? null);
      return new Response(body, { status: decision.status, headers: { ...decision.headers } });
    }
    if (decision.kind === 'public') return handler(request, { auth: undefined, body: undefined });
    const { auth, body, bytes, headers } = decision;
    const response = await handler(checkedRequest(request, bytes), { auth, body });
    return withHeaders(await dutifulResponse(response, decision.response), headers);
  };
}

/** The request with the body that was checked, or with none: what nobody checked is not there to be read. */
function checkedRequest(request: Request, bytes: Uint8Array | undefined): Request {
  if (bytes) return new Request(request, { body: new Uint8Array(bytes) });
  return request.body ? new Request(request, { body: '' }) : request;
}

/**
 * A web request for the guard. Repeated fields are joined by commas, which makes two Authorization headers
 * one malformed one.
 */
function describe(request: Request): GuardRequest {
  const { host } = new URL(request.url);
  return {
    method: request.method,
    target: targetOf(request.url),
    header: (name) => {
      const value = request.headers.get(name);
      if (value !== null) return [value];
      return name === 'host' ? [host] : []; // platforms may keep Host in the URL only
    },
    hasBody: !['0', null].includes(request.headers.get('content-length')),
    body: (limit) => readBody(request, limit),
    localAddress: undefined,
  };
}

/** Path and query as the URL spells them. Not every platform has normalised them, and routers often read the text. */
function targetOf(url: string): string {
  const [, target = ''] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\\]*([^#]*)/i.exec(url) ?? [];
  return target === '' ? '/' : target;
}

async function readBody(request: Request, limit: number): Promise<BodyRead> {
  if (request.bodyUsed) return { kind: 'unreadable' };
  if (!request.body) return { kind: 'bytes', bytes: new Uint8Array() };
  const reader = request.body.getReader();
  const collected = collectBytes();
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { kind: 'bytes', bytes: collected.whole() };
      size += value.byteLength;
      if (size > limit) {
        await reader.cancel();
        return { kind: 'too_large' };
      }
      collected.add(value);
    }
  } catch {
    return { kind: 'unreadable' };
  }
}

/** Adds headers to a response that may be immutable, without touching its stream. */
function withHeaders(response: Response, added: AddedHeaders): Response {
  if (Object.keys(added).length === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(added)) {
    if (name === 'vary') headers.append(name, value);
    else headers.set(name, value);
  }
  return new Response(response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}
