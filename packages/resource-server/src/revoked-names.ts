/** One entry of the feed: what it names is revoked, and from `until` (seconds since 1970) on that no longer matters. */
export type Revocation =
  | { readonly kind: 'handle' | 'jti' | 'kid'; readonly name: string; readonly until: number }
  /** Everything issued before this moment, in seconds since 1970. */
  | { readonly kind: 'before'; readonly before: number; readonly until: number };

/** What of a token can be named by a revocation. */
export type RevocableToken = {
  readonly tokenId: string | undefined;
  readonly keyId: string | undefined;
  readonly handles: readonly string[];
  readonly issuedAt: number | undefined;
};

export type RevokedNames = {
  /** `at`: seconds since 1970 at the authorization server, for the case that there is no more room. */
  add(revocations: readonly Revocation[], at: number): void;
  names(token: RevocableToken): boolean;
  isWithdrawn(keyId: string): boolean;
  /** Forgets what no longer matters `now` (seconds since 1970). */
  forgetEnded(now: number): void;
  size(): number;
};

/** A clock that is slow by as much as can be configured (RS-20) still sees a token as alive. */
const tolerance = 300;
const beforeLimit = 64;
const keyLimit = 10_000;

/**
 * Remembers revocations, at most `limit` of them. Beyond it all tokens and handles give way to one rule:
 * nothing issued until now counts any more. That costs every client one refresh and forgets no
 * revocation. Withdrawn keys stay, because whoever has one can write any date into a token.
 */
export function revokedNames(limit: number): RevokedNames {
  const handles = new Map<string, number>();
  const tokenIds = new Map<string, number>();
  const keyIds = new Map<string, number>();
  let cutoffs: { before: number; until: number }[] = [];

  function cutOff(added: { before: number; until: number }): void {
    const covers = (a: typeof added, b: typeof added): boolean =>
      a.before >= b.before && a.until >= b.until;
    if (cutoffs.some((known) => covers(known, added))) return;
    cutoffs = [...cutoffs.filter((known) => !covers(added, known)), added];
    if (cutoffs.length <= beforeLimit) return;
    cutoffs = [
      {
        before: Math.max(...cutoffs.map(({ before }) => before)),
        until: Math.max(...cutoffs.map(({ until }) => until)),
      },
    ];
  }

  function collapse(at: number): void {
    const until = [...handles.values(), ...tokenIds.values()].reduce((a, b) => Math.max(a, b), 0);
    handles.clear();
    tokenIds.clear();
    cutOff({ before: Math.floor(at) + 1, until });
  }

  const kinds = { handle: handles, jti: tokenIds, kid: keyIds };
  const size = (): number => handles.size + tokenIds.size + keyIds.size + cutoffs.length;

  return {
    add(revocations, at) {
      for (const revocation of revocations) {
        if (revocation.kind === 'before') cutOff(revocation);
        else {
          const known = kinds[revocation.kind];
          known.set(
            revocation.name,
            Math.max(revocation.until, known.get(revocation.name) ?? revocation.until),
          );
        }
        if (handles.size + tokenIds.size > limit) collapse(at);
      }
      if (keyIds.size <= keyLimit) return;
      // Nobody has that many keys. Until this is over, no token is believed.
      cutOff({ before: Number.POSITIVE_INFINITY, until: Math.max(...keyIds.values()) });
      keyIds.clear();
    },
    names(token) {
      if (token.keyId !== undefined && keyIds.has(token.keyId)) return true;
      if (token.tokenId !== undefined && tokenIds.has(token.tokenId)) return true;
      for (const handle of token.handles) if (handles.has(handle)) return true;
      for (const { before } of cutoffs)
        if (!(token.issuedAt !== undefined && token.issuedAt >= before)) return true;
      return false;
    },
    isWithdrawn: (keyId) => keyIds.has(keyId),
    forgetEnded(now) {
      const ended = (until: number): boolean => until + tolerance < now;
      for (const known of [handles, tokenIds, keyIds])
        for (const [name, until] of known) if (ended(until)) known.delete(name);
      cutoffs = cutoffs.filter(({ until }) => !ended(until));
    },
    size,
  };
}
