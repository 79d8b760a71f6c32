import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createLog } from '../runtime/log.ts';
import { DatabaseUnavailable } from '../storage/db.ts';
import { openCors } from './cors.ts';
import { edgeOf } from './edge.ts';
import { createHttp, type HttpOptions } from './fastify.ts';
import { readForm, readQuery } from './forms.ts';

/** For the tests of this folder: a server with one route for each thing the edge does. */
export type Started = { port: number; lines: string[] };

export async function start(
  t: TestContext,
  routes: (app: FastifyInstance) => void,
  options: Partial<HttpOptions> = {},
): Promise<Started> {
  const lines: string[] = [];
  const app = createHttp({
    environmentOf: (host) =>
      host.startsWith('127.0.0.1:') || host === 'auth.example.com'
        ? { environmentId: 'env_1', issuer: 'https://auth.example.com' }
        : undefined,
    random: randomBytes,
    log: createLog('info', { write: (line) => lines.push(line) }),
    renderError: (problem) =>
      `<main data-error="${problem.error}"><p>${problem.description}</p>Reference ${problem.reference}</main>`,
    server: { closeTimeout: 300 },
    ...options,
  });
  routes(app);
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  return { port: (app.server.address() as AddressInfo).port, lines };
}

export type Answer = { status: number; headers: http.IncomingHttpHeaders; body: string };

/** Unlike fetch, sends any Host header and path as they are. */
export async function send(
  port: number,
  method: string,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  body: string | Buffer = '',
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = http.request(
      { port, host: '127.0.0.1', method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.once('error', reject);
    if (body.length > 0 && headers['transfer-encoding'] === undefined)
      request.setHeader('content-length', Buffer.byteLength(body));
    request.end(body);
  });
}

export const form = { 'content-type': 'application/x-www-form-urlencoded' };

export function routes(app: FastifyInstance): void {
  openCors(app, [{ matches: (path) => path === '/oauth/token', methods: 'POST' }]);
  app.get('/where', (request) => edgeOf(request));
  app.get('/healthz', { config: { anyHost: true } }, () => 'ok');
  app.post('/oauth/token', (request) => readForm(request));
  app.get('/query', (request) => readQuery(request));
  app.post('/json', (request) => ({ body: request.body ?? 'none' }));
  app.post('/api/v1/resources/:resource_id/clients::register', (request) => request.params);
  app.get('/sso/v1/oidc/:id/partner::callback', (request) => request.params);
  app.get('/page', { config: { page: true } }, (request) => readQuery(request));
  app.get('/bug', () => {
    throw new Error('password=hunter2');
  });
  app.get('/down', () => {
    throw new DatabaseUnavailable('connection refused 10.1.2.3');
  });
}
