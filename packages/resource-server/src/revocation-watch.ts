import type { TokenDetails } from './auth.ts';
import type { Introspection } from './introspection.ts';
import type { FeedState, RevocationFeed } from './revocation-feed.ts';
import type { RevocableToken } from './revoked-names.ts';
import type { Runtime } from './runtime/defaults.ts';

/** What is known about revocations at this moment (RS-58). */
export type Freshness =
  /** The newest document is at most 60 s old, or nothing is followed by configuration. */
  | { readonly kind: 'fresh' }
  /** Too old for high-risk tools. */
  | { readonly kind: 'stale'; readonly retryAfterSeconds: number };

export type Verdict =
  | 'clear'
  | 'revoked'
  /** Nobody has said for too long whether it was revoked. */
  | { readonly unavailable: number };

export type WatchState = {
  readonly feed: FeedState;
  readonly stage: 'fresh' | 'stale' | 'open' | 'closed';
};

/** Knows which tokens were revoked before their end. */
export type RevocationWatch = {
  /** For one caller: a token of another issuer, or one that was asked about just now, needs no feed. */
  freshness(caller?: TokenDetails): Freshness;
  /** For a token whose signature was checked. A promise only where something must be fetched first. */
  check(token: RevocableToken, text: string): Verdict | Promise<Verdict>;
  /** Undefined where nothing is followed. */
  state(): WatchState | undefined;
  /** Ends all background work for good. */
  close(): void;
};

/** For issuers without a feed, by configuration. */
export const notFollowed: RevocationWatch = {
  freshness: () => ({ kind: 'fresh' }),
  check: () => 'clear',
  state: () => undefined,
  close: () => undefined,
};

const staleAfterMs = 60_000;

export type WatchOptions = {
  readonly feed: RevocationFeed;
  readonly runtime: Runtime;
  /** Names that our own tokens have as `iss`. */
  readonly issuers: readonly string[];
  readonly maxStaleSeconds: number;
  readonly open: boolean;
  readonly introspection: Introspection | undefined;
};

/**
 * Decides by the feed, and by introspection where that is configured (RS-25, RS-58). What the feed names
 * is refused in any case. Otherwise an answer of the introspection endpoint counts; without one, tokens
 * are accepted until the newest document, or the start of the process if there is none, is too long ago.
 */
export function watchRevocations(options: WatchOptions): RevocationWatch {
  const { feed, runtime, introspection } = options;
  const now = runtime.nowMs;
  const startedAt = now();
  let openSaidAt: number | undefined;

  function unheardMs(): number {
    if (feed.confirmed()) return feed.ageMs();
    const running = now() - startedAt;
    return running >= 0 ? running : Number.POSITIVE_INFINITY;
  }

  const tooOld = (): boolean => !(unheardMs() <= options.maxStaleSeconds * 1_000);

  function byAge(): Verdict {
    if (!tooOld()) return 'clear';
    if (!options.open) return { unavailable: feed.retryAfterSeconds() };
    const at = now();
    if (openSaidAt === undefined || !(at - openSaidAt >= 0 && at - openSaidAt < 60_000)) {
      openSaidAt = at;
      runtime.log({
        level: 'warn',
        event: 'feed_open',
        message:
          'tokens are accepted although it is not known whether they were revoked: onStale is open',
      });
    }
    return 'clear';
  }

  function byFeed(token: RevocableToken): Verdict | Promise<Verdict> {
    const decide = (): Verdict => (feed.names(token) ? 'revoked' : byAge());
    const fetching = feed.current();
    return fetching === undefined ? decide() : fetching.then(decide);
  }

  function byIntrospection(
    ask: Introspection,
    token: RevocableToken,
    text: string,
  ): Verdict | Promise<Verdict> {
    void feed.current(); // kept up to date for the moment it is needed
    if (feed.names(token)) return 'revoked';
    const decide = (answer: 'active' | 'inactive' | 'unreachable'): Verdict | Promise<Verdict> => {
      if (answer === 'unreachable') return byFeed(token);
      return answer === 'inactive' || feed.names(token) ? 'revoked' : 'clear';
    };
    const answer = ask.isActive(text, token.tokenId);
    return typeof answer === 'string' ? decide(answer) : answer.then(decide);
  }

  return {
    freshness(caller) {
      if (caller && !options.issuers.includes(caller.issuer)) return { kind: 'fresh' };
      if (feed.ageMs() <= staleAfterMs || (caller && introspection?.vouchedFor(caller.tokenId)))
        return { kind: 'fresh' };
      return { kind: 'stale', retryAfterSeconds: feed.retryAfterSeconds() };
    },
    check: (token, text) =>
      introspection ? byIntrospection(introspection, token, text) : byFeed(token),
    state() {
      const late = tooOld() ? (options.open ? 'open' : 'closed') : 'stale';
      return { feed: feed.state(), stage: feed.ageMs() <= staleAfterMs ? 'fresh' : late };
    },
    close: feed.close,
  };
}
