import type { Outside } from './runtime/outside.ts';
import type { TokenAnswer } from './token-endpoint.ts';

/** The client's own token, for management calls. */
export type ClientToken = {
  /** The token to call with. However many ask while there is none, one request is made. */
  current(): Promise<string>;
  /** The server refused this one. Nothing happens if it was replaced meanwhile. */
  refused(token: string): void;
};

/** A token is replaced this long before its end, so that a call does not meet it on its way. */
const earlyMs = 30_000;

/** Keeps the token of `fetchToken` until shortly before it ends or the server refuses it. */
export function clientToken(
  fetchToken: () => Promise<TokenAnswer>,
  now: Outside['now'],
): ClientToken {
  let held: { readonly value: string; readonly goodUntilMs: number } | undefined;
  let renewal: Promise<string> | undefined;

  async function renew(): Promise<string> {
    try {
      const { accessToken, expiresIn } = await fetchToken();
      const livesMs = (expiresIn ?? Number.POSITIVE_INFINITY) * 1000;
      // A token that lives shorter than the margin would be fetched for each call: half of its life then.
      const goodMs = Math.max(livesMs - earlyMs, livesMs / 2);
      held = { value: accessToken, goodUntilMs: now().getTime() + goodMs };
      return accessToken;
    } finally {
      renewal = undefined;
    }
  }

  return {
    async current() {
      if (held && now().getTime() < held.goodUntilMs) return held.value;
      renewal ??= renew();
      return await renewal;
    },
    refused(token) {
      if (held?.value === token) held = undefined;
    },
  };
}
