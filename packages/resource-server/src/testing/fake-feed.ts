import type { IncomingMessage, ServerResponse } from 'node:http';
import { CompactSign } from 'jose';
import type { SigningKey } from './fake-issuer.ts';

export type FakeRevocation =
  | { readonly handle: string }
  | { readonly jti: string }
  | { readonly kid: string }
  | { readonly before: number };

/** The revocation feed of a fake issuer, the same for all its servers, with everything that can go wrong with one. */
export type FakeFeed = {
  epoch: string;
  /** Number of the newest entry; lower it to roll back. */
  seq: number;
  /** What it signs with. */
  key: SigningKey;
  readonly entries: Record<string, unknown>[];
  /** How often it was asked without and with `wait`. */
  fetches: number;
  polls: number;
  /** Requests that wait at this moment. */
  readonly waiting: Set<() => void>;
  /** Whether long polls wait; otherwise they are answered at once. */
  longPolls: boolean;
  /** Milliseconds before an answer is sent, after it was signed. */
  delayMs: number;
  /** How it answers instead, such as never, with garbage or with an older document. */
  answer: ((response: ServerResponse, request: IncomingMessage) => void) | undefined;
  /** Publishes a revocation that matters for a day, and wakes who waits. */
  revoke(entry: FakeRevocation, more?: Record<string, unknown>): void;
  /** Signs a document; everything can be overridden, `undefined` removes a member. */
  document(
    claims?: Record<string, unknown>,
    header?: Record<string, unknown>,
    key?: SigningKey,
  ): Promise<string>;
  /** Answers a request if it is for the feed. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
};

type Of = {
  readonly issuer: () => string;
  readonly resourceId: string;
  readonly now: () => Date;
  readonly key: SigningKey;
};

export function fakeFeed({ issuer, resourceId, now, key }: Of): FakeFeed {
  const seconds = (): number => Math.floor(now().getTime() / 1_000);

  async function respond(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    const after = url.searchParams.get('after')?.split('.');
    const known = after?.[0] === feed.epoch ? Number(after[1]) : 0;
    const wait = Number(url.searchParams.get('wait') ?? 0);
    if (wait > 0) feed.polls += 1;
    else feed.fetches += 1;
    const otherwise = (): FakeFeed['answer'] => feed.answer;
    const first = otherwise();
    if (first) return first(response, request);
    if (wait > 0 && feed.longPolls && known >= feed.seq) await newEntry(response, wait);
    if (response.destroyed) return;
    const meanwhile = otherwise();
    if (meanwhile) return meanwhile(response, request);
    const text = await feed.document({
      aud: `${issuer()}${url.pathname}`,
      since: known,
      entries: feed.entries.filter(({ seq }) => Number(seq) > known),
    });
    if (feed.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, feed.delayMs));
    response.setHeader('content-type', 'application/jwt');
    response.end(text);
  }

  function newEntry(response: ServerResponse, wait: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(wake, wait * 1_000);
      feed.waiting.add(wake);
      response.once('close', wake);
      function wake(): void {
        clearTimeout(timer);
        feed.waiting.delete(wake);
        resolve();
      }
    });
  }

  const feed: FakeFeed = {
    epoch: 'e1',
    seq: 0,
    key,
    entries: [],
    fetches: 0,
    polls: 0,
    waiting: new Set(),
    longPolls: true,
    delayMs: 0,
    answer: undefined,
    revoke(entry, more = {}) {
      feed.seq += 1;
      feed.entries.push({ seq: feed.seq, ...entry, until: seconds() + 86_400, ...more });
      for (const wake of [...feed.waiting]) wake();
    },
    document(claims = {}, header = {}, by = feed.key) {
      const payload = JSON.stringify({
        iss: issuer(),
        aud: `${issuer()}/resources/${resourceId}/revocations`,
        iat: seconds(),
        exp: seconds() + 60,
        epoch: feed.epoch,
        seq: feed.seq,
        since: 0,
        entries: feed.entries,
        ...claims,
      });
      const alg = String(header['alg'] ?? by.jwk.alg);
      return new CompactSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ typ: 'gatewarden-revocations+jwt', kid: by.kid, ...header, alg })
        .sign(by.privateKey);
    },
    handle(request, response) {
      const url = new URL(request.url ?? '', issuer());
      if (!/^\/resources\/[^/]+\/revocations$/.test(url.pathname)) return false;
      void respond(request, response, url);
      return true;
    },
  };
  return feed;
}
