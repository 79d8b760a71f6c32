import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@bufbuild/protobuf';
import { InterceptorSecretService } from '@gatewarden/contract/gatewarden/v1/interceptor_secrets_pb';
import { InterceptorService } from '@gatewarden/contract/scalekit/v1/interceptors/interceptors_pb';
import type { Step } from './management-api.ts';

export type Got = { readonly headers: IncomingMessage['headers']; readonly body: string };
export type Reply = (response: ServerResponse, got: Got) => void;

/** An application's endpoint on loopback; what it was sent, and what it answers next. */
export async function endpoint(t: { after(work: () => void): void }, reply: Reply) {
  const got: Got[] = [];
  const state = { reply };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const one = { headers: request.headers, body };
    got.push(one);
    state.reply(response, one);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { url: `http://127.0.0.1:${port}/hook`, got, state };
}

/** Answers with JSON. */
export const json =
  (value: unknown, status = 200): Reply =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify(value));

const { method } = InterceptorService;
const path = '/interceptors';
export const interceptorSteps = {
  create: (interceptor: JsonObject): Step => ({
    method: method.createInterceptor,
    input: { interceptor },
    rest: ['POST', path, interceptor],
  }),
  get: (id: string): Step => ({
    method: method.getInterceptor,
    input: { id },
    rest: ['GET', `${path}/${id}`],
  }),
  update: (id: string, interceptor: JsonObject): Step => ({
    method: method.updateInterceptor,
    input: { id, interceptor },
    rest: ['PATCH', `${path}/${id}`, interceptor],
  }),
  remove: (id: string): Step => ({
    method: method.deleteInterceptor,
    input: { id },
    rest: ['DELETE', `${path}/${id}`],
  }),
  turn: (id: string, on: boolean): Step => ({
    method: on ? method.enableInterceptor : method.disableInterceptor,
    input: { id },
    rest: ['PATCH', `${path}/${id}:${on ? 'enable' : 'disable'}`],
  }),
  list: (query: Record<string, string>): Step => ({
    method: method.listInterceptors,
    input: query,
    rest: ['GET', `${path}?${new URLSearchParams(query)}`],
  }),
  rotate: (id: string): Step => ({
    method: InterceptorSecretService.method.rotateInterceptorSecret,
    input: { interceptor_id: id },
    rest: ['POST', `${path}/${id}:rotate_secret`, {}],
  }),
  attempt: (id: string, data: JsonObject): Step => ({
    method: method.testInterceptor,
    input: { id, data },
    rest: ['POST', `${path}/${id}/test`, data],
  }),
};
