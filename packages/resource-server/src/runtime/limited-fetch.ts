import { isSecureOrLoopback } from '../urls.ts';
import type { Fetch } from './defaults.ts';

const userAgent = 'gatewarden-resource-server';

export type FetchedJson =
  | { readonly kind: 'ok'; readonly value: unknown; readonly maxAgeSeconds: number | undefined }
  | { readonly kind: 'failed'; readonly reason: string };

export type FetchedText =
  | { readonly kind: 'ok'; readonly text: string; readonly headers: Headers }
  | { readonly kind: 'failed'; readonly reason: string };

export type FetchLimits = {
  /** Milliseconds for everything: connecting, waiting and reading. */
  readonly timeMs: number;
  /** Bytes after decompression. */
  readonly sizeBytes: number;
  /** How many redirects within the same origin are followed. */
  readonly redirects: number;
  /** Ends the request early. */
  readonly stop?: AbortSignal;
};

const keySetLimits: FetchLimits = { timeMs: 5_000, sizeBytes: 65_536, redirects: 2 };

/**
 * Fetches a JSON document within the limits of RS-32: https (http only at loopback), 5 seconds in all,
 * 64 KiB after decompression, and redirects only within the same origin.
 */
export async function fetchJson(fetch: Fetch, url: string): Promise<FetchedJson> {
  const init = { headers: { accept: 'application/json', 'user-agent': userAgent } };
  const fetched = await fetchText(fetch, url, init, keySetLimits);
  if (fetched.kind === 'failed') return fetched;
  try {
    const value: unknown = JSON.parse(fetched.text);
    return { kind: 'ok', value, maxAgeSeconds: maxAge(fetched.headers.get('cache-control')) };
  } catch {
    return { kind: 'failed', reason: 'not JSON' };
  }
}

/**
 * Fetches a text from https, or from http at loopback. Never throws. The time limit holds even for a
 * `fetch` that does not listen to signals.
 */
export async function fetchText(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  limits: FetchLimits,
): Promise<FetchedText> {
  const time = AbortSignal.timeout(limits.timeMs);
  const signal = limits.stop ? AbortSignal.any([time, limits.stop]) : time;
  const ended = new Promise<FetchedText>((resolve) => {
    const fail = (): void => resolve({ kind: 'failed', reason: reasonOf(signal.reason) });
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
  return Promise.race([readWithin(fetch, url, { ...init, signal }, limits), ended]);
}

async function readWithin(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  limits: FetchLimits,
): Promise<FetchedText> {
  try {
    const response = await follow(fetch, url, init, limits.redirects);
    if (typeof response === 'string') return { kind: 'failed', reason: response };
    const text = await readLimited(response, limits.sizeBytes);
    return text === undefined
      ? { kind: 'failed', reason: `larger than ${limits.sizeBytes / 1_024} KiB` }
      : { kind: 'ok', text, headers: response.headers };
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) };
  }
}

/** Only the kind of failure: a message of the network stack may hold addresses, which belong to no log line of ours. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

async function follow(
  fetch: Fetch,
  first: string,
  init: RequestInit,
  redirects: number,
): Promise<Response | string> {
  const { origin } = new URL(first);
  let url = first;
  for (let hop = 0; hop <= redirects; hop += 1) {
    if (!isSecureOrLoopback(new URL(url))) return 'neither https nor loopback';
    const response = await fetch(url, { ...init, redirect: 'manual' });
    if (response.status === 200) return response;
    await response.body?.cancel();
    const location =
      response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
    if (location === null || redirects === 0) return `status ${response.status}`;
    const next = new URL(location, url);
    if (next.origin !== origin) return 'redirected to another host';
    url = next.href;
  }
  return 'too many redirects';
}

async function readLimited(response: Response, sizeBytes: number): Promise<string | undefined> {
  if (!response.body) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = response.body.getReader();
  let size = 0;
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > sizeBytes) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

function maxAge(cacheControl: string | null): number | undefined {
  const found = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl ?? '');
  return found ? Number(found[1]) : undefined;
}
