import type { McpGuard } from '@gatewarden/resource-server';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Outcome } from './access-log.ts';

export type ProxyMetrics = {
  finished(outcome: Outcome, status: number): void;
  /** Time to the head of the upstream's response, or to its failure. */
  upstreamAnswered(seconds: number): void;
  streams(change: 1 | -1): void;
  connectionRefused(): void;
  /** Prometheus text, the guard's own included. */
  text(guard: McpGuard): Promise<string>;
};

/** Counts what happens. Labels have few values, none of them from outside. */
export function proxyMetrics(): ProxyMetrics {
  const registers = [new Registry()];
  const requests = new Counter({
    name: 'gatewarden_proxy_requests_total',
    help: 'Requests by outcome (passed, refused, failed, left) and status.',
    labelNames: ['outcome', 'status'],
    registers,
  });
  const latency = new Histogram({
    name: 'gatewarden_proxy_upstream_seconds',
    help: 'Time until the upstream answered, or failed to.',
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    registers,
  });
  const streams = new Gauge({
    name: 'gatewarden_proxy_open_streams',
    help: 'Event streams that are open now.',
    registers,
  });
  const dropped = new Counter({
    name: 'gatewarden_proxy_connections_dropped_total',
    help: 'Connections closed because there were too many.',
    registers,
  });
  return {
    finished: (outcome, status) => requests.inc({ outcome, status: String(status) }),
    upstreamAnswered: (seconds) => latency.observe(seconds),
    streams: (change) => streams.inc(change),
    connectionRefused: () => dropped.inc(),
    async text(guard) {
      const own = await Promise.all(registers.map((registry) => registry.metrics()));
      return [...own, guard.metrics()].join('');
    },
  };
}
