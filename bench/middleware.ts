import { type Child, startChild } from './child.ts';
import type { Cleanups } from './cleanups.ts';
import type { Job, Load, Outcome } from './load.ts';
import { median, percentile } from './statistics.ts';

export type EndpointKind =
  | 'express'
  | 'express, guarded'
  | 'sdk'
  | 'sdk, guarded'
  | 'upstream'
  | 'proxy';
export type EndpointReady = { readonly port: number; readonly token: string };
export type Endpoint = Child<EndpointReady>;

export type HttpPlan = {
  readonly rounds: number;
  readonly milliseconds: number;
  readonly warmUpMilliseconds: number;
};

export async function startEndpoint(
  cleanups: Cleanups,
  kind: EndpointKind,
  behind?: Endpoint,
): Promise<Endpoint> {
  const args = behind === undefined ? [kind] : [kind, String(behind.ready.port)];
  return await startChild<EndpointReady>(cleanups, './mcp-process.ts', args);
}

/** Tool calls with a token, which a server without our middleware does not look at. */
export function toolCalls({ ready }: Endpoint, connections: number, milliseconds: number): Job {
  const text = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'greet', arguments: {} },
  });
  return {
    port: ready.port,
    connections,
    milliseconds,
    method: 'POST',
    path: '/mcp',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
      authorization: `Bearer ${ready.token}`,
    },
    body: { kind: 'same', text },
    expect: 200,
  };
}

export type Sample = Outcome & { readonly cpuMicroseconds: number };

/** One measurement. @throws {Error} not every request succeeded */
export async function sample(load: Load, endpoint: Endpoint, job: Job): Promise<Sample> {
  const before = await endpoint.cpuMicroseconds();
  const outcome = await load.run(job);
  const after = await endpoint.cpuMicroseconds();
  if (outcome.failed > 0 || outcome.done === 0)
    throw new Error(`an MCP endpoint refused: ${outcome.firstFailure ?? 'no request was sent'}`);
  return { ...outcome, cpuMicroseconds: (after - before) / outcome.done };
}

export type MiddlewareRow = {
  readonly handler: string;
  readonly perSecond: number;
  readonly perSecondGuarded: number;
  /** Processor time of the server for one request, all threads. */
  readonly cpuMicroseconds: number;
  readonly cpuMicrosecondsGuarded: number;
  /** What the middleware adds to that, in hundredths of the request without it. */
  readonly addedPercent: number;
};

const CONNECTIONS = 16;

/** Requests of an Express MCP endpoint without and with our middleware in place of `express.json()`. */
export async function measureMiddleware(
  cleanups: Cleanups,
  load: Load,
  plan: HttpPlan,
): Promise<MiddlewareRow[]> {
  const rows: MiddlewareRow[] = [];
  for (const [kind, handler] of [
    ['sdk', 'MCP endpoint with the official SDK'],
    ['express', 'handler that answers at once'],
  ] as const) {
    const plain = await startEndpoint(cleanups, kind);
    const guarded = await startEndpoint(cleanups, `${kind}, guarded`);
    for (const one of [plain, guarded])
      await sample(load, one, toolCalls(one, CONNECTIONS, plan.warmUpMilliseconds));
    const pairs: [Sample, Sample][] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      const first = round % 2 === 0 ? plain : guarded;
      const second = first === plain ? guarded : plain;
      const one = await sample(load, first, toolCalls(first, CONNECTIONS, plan.milliseconds));
      const two = await sample(load, second, toolCalls(second, CONNECTIONS, plan.milliseconds));
      pairs.push(first === plain ? [one, two] : [two, one]);
    }
    await plain.end();
    await guarded.end();
    const perSecond = ({ done, elapsedMs }: Sample): number => (done / elapsedMs) * 1000;
    // Other work on the machine only ever adds, so a calm quarter of the measurements says most.
    const calm = (samples: readonly Sample[]): number =>
      percentile(
        samples.map((one) => one.cpuMicroseconds),
        0.25,
      );
    const cpuMicroseconds = calm(pairs.map(([one]) => one));
    const cpuMicrosecondsGuarded = calm(pairs.map(([, two]) => two));
    rows.push({
      handler,
      perSecond: median(pairs.map(([one]) => perSecond(one))),
      perSecondGuarded: median(pairs.map(([, two]) => perSecond(two))),
      cpuMicroseconds,
      cpuMicrosecondsGuarded,
      addedPercent: (cpuMicrosecondsGuarded / cpuMicroseconds - 1) * 100,
    });
  }
  return rows;
}
