import type { Cleanups } from './cleanups.ts';
import type { Load } from './load.ts';
import { type HttpPlan, type Sample, sample, startEndpoint, toolCalls } from './middleware.ts';
import { median } from './statistics.ts';

export type ProxyRow = {
  readonly connections: number;
  /** Microseconds, at the upstream itself and through the proxy. */
  readonly direct: { readonly p50: number; readonly p99: number };
  readonly proxied: { readonly p50: number; readonly p99: number };
  /** Processor time of the proxy for one request. */
  readonly cpuMicroseconds: number;
  readonly perSecond: number;
};

/** What the proxy adds to a request at an upstream that does next to nothing. */
export async function measureProxy(
  cleanups: Cleanups,
  load: Load,
  plan: HttpPlan,
): Promise<ProxyRow[]> {
  const upstream = await startEndpoint(cleanups, 'upstream');
  const proxy = await startEndpoint(cleanups, 'proxy', upstream);
  const rows: ProxyRow[] = [];
  for (const connections of [1, 16]) {
    for (const one of [upstream, proxy])
      await sample(load, one, toolCalls(one, connections, plan.warmUpMilliseconds));
    const direct: Sample[] = [];
    const proxied: Sample[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      direct.push(
        await sample(load, upstream, toolCalls(upstream, connections, plan.milliseconds)),
      );
      proxied.push(await sample(load, proxy, toolCalls(proxy, connections, plan.milliseconds)));
    }
    const microseconds = (of: readonly Sample[]): { p50: number; p99: number } => ({
      p50: median(of.map(({ p50 }) => p50 * 1000)),
      p99: median(of.map(({ p99 }) => p99 * 1000)),
    });
    rows.push({
      connections,
      direct: microseconds(direct),
      proxied: microseconds(proxied),
      cpuMicroseconds: median(proxied.map(({ cpuMicroseconds }) => cpuMicroseconds)),
      perSecond: median(proxied.map(({ done, elapsedMs }) => (done / elapsedMs) * 1000)),
    });
  }
  await proxy.end();
  await upstream.end();
  return rows;
}
