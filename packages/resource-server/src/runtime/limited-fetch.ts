import { isSecureOrLoopback } from '../urls.ts';
import type { Fetch } from './defaults.ts';

const timeLimitMs = 5_000;
const sizeLimitBytes = 65_536;
const redirectLimit = 2;

export type FetchedJson =
  | { readonly kind: 'ok'; readonly value: unknown; readonly maxAgeSeconds: number | undefined }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Fetches a JSON document within the limits of RS-32: https (http only at loopback), 5 seconds in all,
 * 64 KiB after decompression, and redirects only within the same origin.
 */
export async function fetchJson(fetch: Fetch, url: string): Promise<FetchedJson> {
  try {
    const response = await follow(fetch, url, AbortSignal.timeout(timeLimitMs));
    if (typeof response === 'string') return { kind: 'failed', reason: response };
    const text = await readLimited(response);
    if (text === undefined) return { kind: 'failed', reason: 'larger than 64 KiB' };
    const value: unknown = JSON.parse(text);
    return { kind: 'ok', value, maxAgeSeconds: maxAge(response.headers.get('cache-control')) };
  } catch (error) {
    // Only the kind of failure: a message of the network stack may hold addresses, which belong to no log line of ours.
    return { kind: 'failed', reason: error instanceof Error ? error.name : 'unknown' };
  }
}

async function follow(
  fetch: Fetch,
  first: string,
  signal: AbortSignal,
): Promise<Response | string> {
  const { origin } = new URL(first);
  let url = first;
  for (let hop = 0; hop <= redirectLimit; hop += 1) {
    if (!isSecureOrLoopback(new URL(url))) return 'neither https nor loopback';
    const response = await fetch(url, {
      headers: { accept: 'application/json', 'user-agent': 'gatewarden-resource-server' },
      redirect: 'manual',
      signal,
    });
    if (response.status === 200) return response;
    await response.body?.cancel();
    const location =
      response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
    if (location === null) return `status ${response.status}`;
    const next = new URL(location, url);
    if (next.origin !== origin) return 'redirected to another host';
    url = next.href;
  }
  return 'too many redirects';
}

async function readLimited(response: Response): Promise<string | undefined> {
  if (!response.body) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = response.body.getReader();
  let size = 0;
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > sizeLimitBytes) {
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
