import type { McpServer } from './mcp-server.ts';

/** The state of one issuer's key set. */
export type KeySetHealth = {
  readonly issuer: string;
  /** Seconds since the key set was fetched; undefined before the first one and for a fixed set. */
  readonly ageSeconds: number | undefined;
  /** How the last fetch ended; undefined when none was needed yet. */
  readonly reachable: boolean | undefined;
};

/** The state of the revocation feed (RS-58). */
export type FeedHealth = {
  /** Seconds since the moment the newest document speaks for; undefined before the first one. */
  readonly ageSeconds: number | undefined;
  readonly reachable: boolean | undefined;
  /** stale: high-risk tools are refused; closed: all are; open: none are, because `onStale` says so. */
  readonly stage: 'fresh' | 'stale' | 'open' | 'closed';
};

export type ServerHealth = {
  readonly resource: string;
  readonly keys: readonly KeySetHealth[];
  /** Undefined where no feed is followed. */
  readonly feed: FeedHealth | undefined;
};

/** What an operator may see: no token, no claim, no key, no name that was revoked (RS-56). */
export type GuardHealth = {
  /** degraded: requests are answered, but something cannot be reached; unavailable: some server refuses every token. */
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly servers: readonly ServerHealth[];
};

/** Collects what the guard knows about the authorization servers. Asks nobody. */
export function guardHealth(servers: readonly McpServer[]): GuardHealth {
  const all = servers.map(serverHealth);
  const closed = all.some(({ feed }) => feed?.stage === 'closed' && feed.reachable === false);
  const troubled = all.some(
    ({ keys, feed }) =>
      keys.some(({ reachable }) => reachable === false) || feed?.reachable === false,
  );
  return { status: closed ? 'unavailable' : troubled ? 'degraded' : 'ok', servers: all };
}

function serverHealth(server: McpServer): ServerHealth {
  const now = server.runtime.now().getTime();
  const watch = server.revocations.state();
  return {
    resource: server.resource.href,
    keys: [...server.trusted].map(([issuer, { keys }]) => {
      const { loadedAt, reachable } = keys.state();
      return {
        issuer,
        ageSeconds: loadedAt === undefined ? undefined : age(now, loadedAt),
        reachable,
      };
    }),
    feed: watch && {
      ageSeconds: watch.feed.ageMs === undefined ? undefined : watch.feed.ageMs / 1_000,
      reachable: watch.feed.reachable,
      stage: watch.stage,
    },
  };
}

function age(now: number, moment: number): number {
  return Math.max(0, now - moment) / 1_000;
}

type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** The same and the counters since the start, in the text format of Prometheus 0.0.4. */
export function guardMetrics(servers: readonly McpServer[]): string {
  const health = guardHealth(servers);
  const keys = health.servers.flatMap((server) =>
    server.keys.map((set) => ({
      ...set,
      labels: { resource: server.resource, issuer: set.issuer },
    })),
  );
  const feeds = servers.flatMap((server) => {
    const state = server.revocations.state();
    return state ? [{ ...state, labels: { resource: server.resource.href } }] : [];
  });
  const tallies = servers.map(({ tally, resource }) => ({
    tally,
    labels: { resource: resource.href },
  }));
  return [
    metric('feed_age_seconds', 'gauge', 'Age of the newest document of the revocation feed', [
      ...feeds.flatMap(({ labels, feed }) =>
        feed.ageMs === undefined ? [] : [{ labels, value: feed.ageMs / 1_000 }],
      ),
    ]),
    metric(
      'feed_open',
      'gauge',
      'Whether tokens are accepted although the feed is too old',
      feeds.map(({ labels, stage }) => ({ labels, value: stage === 'open' ? 1 : 0 })),
    ),
    metric(
      'feed_entries',
      'gauge',
      'Revocations that are remembered',
      feeds.map(({ labels, feed }) => ({ labels, value: feed.entries })),
    ),
    metric(
      'feed_failures_total',
      'counter',
      'Attempts to fetch the revocation feed that failed',
      feeds.flatMap(({ labels, feed }) =>
        [...feed.failures].map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
      ),
    ),
    metric(
      'keys_age_seconds',
      'gauge',
      'Age of the key set of an issuer',
      keys.flatMap(({ labels, ageSeconds }) =>
        ageSeconds === undefined ? [] : [{ labels, value: ageSeconds }],
      ),
    ),
    metric(
      'keys_reachable',
      'gauge',
      'Whether the last fetch of a key set succeeded',
      keys.flatMap(({ labels, reachable }) =>
        reachable === undefined ? [] : [{ labels, value: reachable ? 1 : 0 }],
      ),
    ),
    metric(
      'tokens_accepted_total',
      'counter',
      'Access tokens that were accepted',
      tallies.map(({ labels, tally }) => ({ labels, value: tally.accepted })),
    ),
    metric(
      'tokens_refused_total',
      'counter',
      'Access tokens that were refused',
      tallies.flatMap(({ labels, tally }) =>
        [...tally.refused].map(([reason, value]) => ({ labels: { ...labels, reason }, value })),
      ),
    ),
    metric(
      'tokens_unchecked_total',
      'counter',
      'Requests answered with 503 because a token could not be checked',
      tallies.map(({ labels, tally }) => ({ labels, value: tally.unavailable })),
    ),
  ].join('');
}

function metric(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  samples: readonly Sample[],
): string {
  if (samples.length === 0) return '';
  const full = `gatewarden_rs_${name}`;
  const lines = samples.map(({ labels, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${quoted(text)}"`);
    return `${full}{${pairs.join(',')}} ${value}`;
  });
  return `${[`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...lines].join('\n')}\n`;
}

/** Reasons may come from error names, so anything that could end a line is taken out. */
function quoted(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '').replace(/[\\"]/g, '\\$&');
}
