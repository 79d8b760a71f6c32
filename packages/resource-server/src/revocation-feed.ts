import {
  type DocumentRules,
  documentSizeLimit,
  readRevocationDocument,
} from './revocation-document.ts';
import { type Position, type SequenceFault, sequence } from './revocation-sequence.ts';
import { type RevocableToken, revokedNames } from './revoked-names.ts';
import type { Runtime } from './runtime/defaults.ts';
import { waitWithoutHolding } from './runtime/idle-sockets.ts';
import { fetchText } from './runtime/limited-fetch.ts';
import { sleep, waitAtMost } from './runtime/timers.ts';

const second = 1_000;
/** How old the newest document may be before a request has it fetched first, where nothing polls. */
const recent = 2 * second;
/** How long a request waits for that. */
const patience = 2 * second;
const longPollSeconds = 20;
/** A long poll that takes longer than this hangs. */
const longPollLimit = (longPollSeconds + 5) * second;
/** Pause after an answer that came at once: the authorization server had no room for a long poll. */
const plainPollPause = 2 * second;
const inUse = 60 * second;
const pollsWithoutUse = 30;
/** Between an attempt and the next one that a request asks for. */
const shortestPause = second;
/** A first fetch that has not come to an end by then was ended by the platform. */
const abandoned = 30 * second;
const longestPause = 5 * second;
const entryLimit = 200_000;
const reasonLimit = 50;

export type FeedOptions = {
  readonly url: string;
  readonly runtime: Runtime;
  readonly rules: Omit<DocumentRules, 'isWithdrawn' | 'nowSeconds'>;
  /** Most revocations remembered. @default 200000 */
  readonly entryLimit?: number;
};

export type FeedState = {
  /** Milliseconds since the moment the newest document speaks for; undefined: none, or the clock was set back. */
  readonly ageMs: number | undefined;
  /** How the last attempt ended; undefined before the first. */
  readonly reachable: boolean | undefined;
  readonly entries: number;
  /** Attempts that failed, by reason. */
  readonly failures: ReadonlyMap<string, number>;
};

/** Follows one revocation feed (RS-58). */
export type RevocationFeed = {
  /**
   * To be called before each decision. A promise only where the newest document has to be fetched first,
   * because it is older than 2 s and nothing polls; it takes 2 s at most and never rejects.
   */
  current(): Promise<void> | undefined;
  names(token: RevocableToken): boolean;
  /** Milliseconds since the moment the newest document speaks for; infinite if there is none. */
  ageMs(): number;
  /** Whether there ever was a document. */
  confirmed(): boolean;
  /** Seconds until the next attempt, at least 1. */
  retryAfterSeconds(): number;
  state(): FeedState;
  /** Ends all background work for good. */
  close(): void;
};

type Attempt =
  | {
      readonly kind: 'answered';
      /** Something was revoked since the last document. */
      readonly news: boolean;
      /** How long to wait after an answer that came at once and had no news. */
      readonly pauseMs: number;
    }
  | { readonly kind: 'failed'; readonly reason: string };

export function followFeed({ url, runtime, rules, ...options }: FeedOptions): RevocationFeed {
  const seen = sequence();
  const revoked = revokedNames(options.entryLimit ?? entryLimit);
  const stop = new AbortController();
  const failures = new Map<string, number>();
  const now = runtime.nowMs;
  const documentRules: DocumentRules = {
    ...rules,
    nowSeconds: () => now() / second,
    isWithdrawn: revoked.isWithdrawn,
  };

  /** The moment the newest document speaks for. */
  let confirmedAt: number | undefined;
  let sweptAt = 0;
  let askComplete = false;
  let failed = 0;
  let reachable: boolean | undefined;
  let triedAt: number | undefined;
  let pause = 0;
  let loggedAt: number | undefined;
  let flight: { readonly landed: Promise<void>; readonly at: number } | undefined;
  let polling = false;
  /** From when to when the loop is known to see to the feed. */
  let tended = { from: 0, to: 0 };
  let askedAt = 0;
  let pollsSinceAsked = 0;

  /** A clock that was set back counts as a long time. Less than a second is how clocks are corrected. */
  function since(moment: number | undefined): number {
    if (moment === undefined) return Number.POSITIVE_INFINITY;
    const passed = now() - moment;
    if (passed >= 0) return passed;
    return passed > -second ? 0 : Number.POSITIVE_INFINITY;
  }

  async function attempt(waitSeconds: number): Promise<Attempt> {
    const clockWasSetBack =
      confirmedAt !== undefined && since(confirmedAt) === Number.POSITIVE_INFINITY;
    if (clockWasSetBack) seen.forgetDates();
    const position = seen.position();
    const wait = position && !askComplete ? waitSeconds : 0;
    const address = feedAddress(url, askComplete ? undefined : position, wait);
    const release = wait > 0 ? waitWithoutHolding(address) : undefined;
    const fetched = await fetchText(
      runtime.fetch,
      address,
      { headers: { accept: 'application/jwt', 'user-agent': 'gatewarden-resource-server' } },
      {
        timeMs: wait > 0 ? longPollLimit : patience,
        sizeBytes: documentSizeLimit,
        redirects: 0,
        stop: stop.signal,
      },
    );
    release?.();
    if (fetched.kind === 'failed') return fetched;
    const document = await readRevocationDocument(fetched.text.trim(), documentRules);
    if (typeof document === 'string') return { kind: 'failed', reason: document };
    const step = seen.take(document, position, documentRules.nowSeconds());
    if (step.kind === 'fault') return refuse(step.fault);
    if (step.kind === 'newer') {
      revoked.add(document.entries, document.issuedAt);
      askComplete = false;
      // What was on its way for a while speaks for the time it was made, as far as the clocks agree.
      confirmedAt = Math.min(now(), (document.issuedAt + rules.clockSkewSeconds) * second);
      forgetEnded();
    }
    const news = document.seq !== position?.seq || document.epoch !== position.epoch;
    const asked = retryAfter(fetched.headers.get('retry-after'));
    const pauseMs = wait === 0 && position === undefined ? 0 : (asked ?? plainPollPause);
    return { kind: 'answered', news: news && step.kind === 'newer', pauseMs };
  }

  function refuse(fault: SequenceFault): Attempt {
    askComplete = true;
    return { kind: 'failed', reason: fault };
  }

  function forgetEnded(): void {
    if (Math.abs(now() - sweptAt) < 60 * second) return;
    sweptAt = now();
    revoked.forgetEnded(sweptAt / second);
  }

  /** One attempt and its consequences. Never rejects, whatever a log or a clock of the caller does. */
  async function tryOnce(waitSeconds: number): Promise<Attempt> {
    const outcome = await attempt(waitSeconds).catch(
      (error: unknown): Attempt => ({
        kind: 'failed',
        reason: error instanceof Error ? error.name : 'unknown',
      }),
    );
    if (stop.signal.aborted) return outcome;
    triedAt = now();
    if (outcome.kind === 'failed') noteFailure(outcome.reason);
    else {
      failed = 0;
      reachable = true;
      pause = shortestPause;
    }
    return outcome;
  }

  function noteFailure(reason: string): void {
    const name = failures.has(reason) || failures.size < reasonLimit ? reason : 'other';
    failures.set(name, (failures.get(name) ?? 0) + 1);
    const doubled = Math.min(longestPause, shortestPause * 2 ** Math.min(failed, 10));
    pause = doubled * (0.5 + runtime.random() / 2);
    failed += 1;
    reachable = false;
    if (since(loggedAt) < 60 * second) return;
    loggedAt = now();
    try {
      runtime.log({
        level: 'warn',
        event: 'feed_unavailable',
        message: `the revocation feed could not be followed: ${reason}`,
        reason,
      });
    } catch {
      // A log that throws must not end what watches over revocations.
    }
  }

  function fetchFirst(): Promise<void> | undefined {
    if (flight && since(flight.at) > abandoned) flight = undefined;
    if (!flight) {
      const landed = tryOnce(0).then(() => {
        if (flight?.landed === landed) flight = undefined;
        startPolling();
      });
      flight = { landed, at: now() };
    }
    const left = patience - since(flight.at);
    return left > 0 ? waitAtMost(flight.landed, left) : undefined;
  }

  function startPolling(): void {
    if (!runtime.background || polling || stop.signal.aborted) return;
    polling = true;
    void poll().finally(() => {
      polling = false;
      tended = { from: 0, to: 0 };
    });
  }

  async function poll(): Promise<void> {
    if (failed > 0) await rest(pause);
    while (!stop.signal.aborted && since(askedAt) <= inUse && pollsSinceAsked < pollsWithoutUse) {
      pollsSinceAsked += 1;
      const began = now();
      tended = { from: began, to: began + longPollLimit };
      const outcome = await tryOnce(longPollSeconds);
      const spread = runtime.random();
      if (outcome.kind === 'failed') await rest(pause);
      else if (outcome.news) await rest(100 + 100 * spread);
      else if (since(began) < second) await rest(outcome.pauseMs * (0.75 + spread / 4));
      else await rest(100 * spread);
    }
  }

  async function rest(milliseconds: number): Promise<void> {
    tended = { from: now(), to: now() + milliseconds + second };
    await sleep(milliseconds, stop.signal);
  }

  return {
    current() {
      const at = now();
      askedAt = at;
      pollsSinceAsked = 0;
      if (polling && at >= tended.from - second && at <= tended.to) return undefined;
      const justTried = !flight && since(triedAt) < pause;
      if (!stop.signal.aborted && !justTried && since(confirmedAt) > recent) return fetchFirst();
      startPolling();
      return undefined;
    },
    names: revoked.names,
    ageMs: () => since(confirmedAt),
    confirmed: () => confirmedAt !== undefined,
    retryAfterSeconds: () =>
      Math.min(30, Math.max(1, Math.ceil((pause - Math.min(pause, since(triedAt))) / second))),
    state() {
      const ageMs = since(confirmedAt);
      return {
        ageMs: Number.isFinite(ageMs) ? ageMs : undefined,
        reachable,
        entries: revoked.size(),
        failures,
      };
    },
    close: () => stop.abort(),
  };
}

function feedAddress(url: string, position: Position | undefined, waitSeconds: number): string {
  const parameters = new URLSearchParams();
  if (position) parameters.set('after', `${position.epoch}.${position.seq}`);
  if (waitSeconds > 0) parameters.set('wait', String(waitSeconds));
  const query = parameters.toString();
  return query === '' ? url : `${url}?${query}`;
}

/** Milliseconds a busy authorization server asks for, within reason. */
function retryAfter(header: string | null): number | undefined {
  const found = /^([1-9]|10)$/.exec(header ?? '');
  return found ? Number(found[1]) * second : undefined;
}
