import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestGatewarden } from '../src/testing.ts';
import { managementToken } from './management-api.ts';

export type Received = { readonly headers: IncomingHttpHeaders; readonly body: string };
export type Receiver = {
  readonly url: string;
  readonly received: Received[];
  /** Waits until so many requests came. @throws {Error} they do not come within ten seconds */
  waitFor(count: number): Promise<Received[]>;
};

/** A real HTTP endpoint on loopback; `answer` gets the response and the number of the request. Closed with the test. */
export async function webhookReceiver(
  t: TestContext,
  answer: (response: ServerResponse, count: number) => void = (response) => response.end(),
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      answer(response, received.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // A listening TCP server has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    async waitFor(count) {
      await until(() => received.length >= count, `request ${count}`);
      return received;
    },
  };
}

/** Waits until something is so. @throws {Error} it is not within ten seconds */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what = 'something',
): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`${what} did not come`);
    await pause(20);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of an API in tests
export type RestAnswer = { readonly status: number; readonly body: any };
export type Rest = (verb: string, path: string, body?: unknown) => Promise<RestAnswer>;

/** The REST API of a server with a token of its environment client, a new one when the test's clock ended the old one. */
export async function restApi(gatewarden: TestGatewarden): Promise<Rest> {
  let token = await managementToken(gatewarden);
  const call: Rest = async (verb, path, body) => {
    const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
      method: verb,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  return async (verb, path, body) => {
    const answer = await call(verb, path, body);
    if (answer.status !== 401) return answer;
    token = await managementToken(gatewarden);
    return await call(verb, path, body);
  };
}
