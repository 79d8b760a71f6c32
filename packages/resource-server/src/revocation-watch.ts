/** What is known about revocations at this moment (RS-58). */
export type Freshness =
  /** The newest document is at most 60 s old, or nothing is followed by configuration. */
  | { readonly kind: 'fresh' }
  /** Too old for high-risk tools. */
  | { readonly kind: 'stale'; readonly retryAfterSeconds: number };

/** Knows which tokens were revoked before their end. */
export type RevocationWatch = {
  freshness(): Freshness;
};

/** For issuers without a feed, by configuration. */
export const notFollowed: RevocationWatch = { freshness: () => ({ kind: 'fresh' }) };
