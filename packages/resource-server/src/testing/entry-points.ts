import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import {
  type Admitted,
  guardFetch,
  guardNodeRequest,
  type McpServerOptions,
  protectMcp,
} from '../index.ts';
import { type Guarded, serve } from './guarded-server.ts';

type Handler = (
  request: { readonly method: string; readonly header: (name: string) => string | null },
  admitted: Admitted,
) => Response | Promise<Response>;

export type EntryPoint = Pick<Guarded, 'port' | 'send' | 'raw'> & { readonly name: string };

/**
 * The same guard options and the same handler behind a real HTTP server, once by way of Node's objects and
 * once by way of web-standard ones.
 */
export async function startEntryPoints(
  t: TestContext,
  options: McpServerOptions | readonly McpServerOptions[],
  handler: Handler,
): Promise<readonly EntryPoint[]> {
  const forNode = protectMcp(options);
  const forWeb = protectMcp(options);
  t.after(() => {
    forNode.close();
    forWeb.close();
  });
  const node = await serve(t, async (request, response) => {
    const admitted = await guardNodeRequest(forNode, request, response);
    if (!admitted) return;
    const header = (name: string): string | null => String(request.headers[name] ?? '') || null;
    await sendResponse(response, await handler({ method: request.method ?? '', header }, admitted));
  });
  const handle = guardFetch(forWeb, (request, admitted) =>
    handler({ method: request.method, header: (name) => request.headers.get(name) }, admitted),
  );
  const web = await serve(t, async (request, response) => {
    await sendResponse(response, await handle(webRequest(request)));
  });
  return [
    { name: 'node', ...node },
    { name: 'web', ...web },
  ];
}

function webRequest(request: IncomingMessage): Request {
  const headers = new Headers();
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2)
    headers.append(request.rawHeaders[at] ?? '', request.rawHeaders[at + 1] ?? '');
  const body = ['GET', 'HEAD'].includes(request.method ?? '')
    ? {}
    : { body: Readable.toWeb(request), duplex: 'half' };
  const init: object = { method: request.method, headers, ...body };
  return new Request(`http://${request.headers.host}${request.url}`, init);
}

/** Writes as handlers do: the head first, then each chunk when it is there. */
async function sendResponse(response: ServerResponse, answer: Response): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (!answer.body) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = answer.body.getReader();
  response.once('close', () => reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    response.write(value);
  }
  response.end();
}
