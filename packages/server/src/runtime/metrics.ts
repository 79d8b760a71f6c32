import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = {
  readonly registry: Registry;
  /** Counts something that happened; labels take a small, fixed set of values. */
  count(name: keyof typeof counters, labels?: Readonly<Record<string, string>>): void;
  observeRequest(labels: { route: string; method: string; status: string }, seconds: number): void;
  gauge(name: keyof typeof gauges, value: number): void;
};

const counters = {
  gatewarden_tokens_total: { help: 'Token endpoint answers', labelNames: ['grant', 'outcome'] },
  gatewarden_authorizations_total: {
    help: 'Authorization requests by outcome',
    labelNames: ['outcome'],
  },
  gatewarden_authorizations_without_resource_total: {
    help: 'Authorization requests that named no resource',
    labelNames: [],
  },
  gatewarden_registrations_total: {
    help: 'Dynamic client registrations by outcome',
    labelNames: ['outcome'],
  },
  gatewarden_metadata_document_fetches_total: {
    help: 'Fetches of client ID metadata documents by outcome',
    labelNames: ['outcome'],
  },
  gatewarden_rate_limited_total: {
    help: 'Requests refused by a rate limit',
    labelNames: ['limit'],
  },
  gatewarden_mails_total: { help: 'Mails by outcome', labelNames: ['outcome'] },
  gatewarden_webhook_attempts_total: {
    help: 'Attempts to deliver a webhook by outcome',
    labelNames: ['outcome'],
  },
  gatewarden_interceptor_calls_total: {
    help: 'Calls of interceptors by outcome',
    labelNames: ['outcome'],
  },
  gatewarden_refresh_reuse_total: {
    help: 'Refresh tokens used again after their grace',
    labelNames: [],
  },
  gatewarden_rpc_total: { help: 'Management calls', labelNames: ['method', 'code'] },
} as const;

const gauges = {
  gatewarden_outbox_pending: { help: 'Mails waiting to be sent' },
  gatewarden_webhooks_pending: { help: 'Webhook deliveries that are due and not under way' },
} as const;

export function createMetrics(
  options: { readonly processMetrics: boolean } = { processMetrics: false },
): Metrics {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  const made = new Map<string, Counter>();
  for (const [name, { help, labelNames }] of Object.entries(counters))
    made.set(name, new Counter({ name, help, labelNames: [...labelNames], registers: [registry] }));
  const madeGauges = new Map<string, Gauge>();
  for (const [name, { help }] of Object.entries(gauges))
    madeGauges.set(name, new Gauge({ name, help, registers: [registry] }));
  const requests = new Histogram({
    name: 'gatewarden_http_request_seconds',
    help: 'HTTP requests by route',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  return {
    registry,
    count(name, labels = {}) {
      made.get(name)?.inc(labels);
    },
    observeRequest(labels, seconds) {
      requests.observe(labels, seconds);
    },
    gauge(name, value) {
      madeGauges.get(name)?.set(value);
    },
  };
}
