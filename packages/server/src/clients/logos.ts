import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import type { Client } from './client.ts';
import { fetchWithinBudget } from './fetch-budget.ts';
import { reencodedLogo } from './logo-image.ts';
import { logoFetchedAt, saveLogo } from './logos.store.ts';

const LIMITS = {
  timeoutMs: 5000,
  maxBytes: 204_800,
  accept: ['image/png', 'image/jpeg', 'image/webp', 'image/gif'],
};
const REFRESH_MS = 24 * 60 * 60_000;
const RETRY_MS = 60 * 60_000;
const MOST_REMEMBERED = 5000;

// When a logo was last tried, so that a page that is shown often does not fetch often. Per app.
const attempts = new WeakMap<object, Map<string, number>>();

/**
 * Path of a client's logo on our own origin (AS-81), once we have it. Never waits for somebody else's server: the first page
 * goes without, and the logo is fetched meanwhile. Pages ask only for clients on a green trust level.
 */
export async function logoPath(
  ctx: Ctx,
  client: Pick<Client, 'id' | 'metadata' | 'registration'>,
): Promise<string | undefined> {
  const url = client.metadata.logoUri;
  if (
    url === undefined ||
    fetchUrlProblem(url, { allowLoopback: ctx.config.allowLoopbackClients }) !== undefined
  )
    return undefined;
  const id = logoId(url);
  const fetchedAt = await logoFetchedAt(ctx.db, { environmentId: ctx.environmentId, id });
  if (!fetchedAt || ctx.now().getTime() - fetchedAt.getTime() > REFRESH_MS)
    fetchSoon(ctx, url, fetchedAt !== undefined);
  return fetchedAt && `/logos/${id}`;
}

/** Fetches, decodes and keeps a logo. False when there is none to keep. */
export async function fetchLogo(ctx: Ctx, url: string, known: boolean): Promise<boolean> {
  const outcome = await fetchWithinBudget(ctx, url, LIMITS, known ? 'url' : 'host');
  const image = outcome.kind === 'fetched' ? await reencodedLogo(outcome.body) : undefined;
  if (!image) return false;
  await saveLogo(ctx.db, {
    environmentId: ctx.environmentId,
    id: logoId(url),
    url,
    image,
    now: ctx.now(),
  });
  return true;
}

/** The hash of its URL: says nothing, and a new URL is a new logo. */
export function logoId(url: string): string {
  return Buffer.from(sha256(url)).toString('base64url').slice(0, 32);
}

function fetchSoon(ctx: Ctx, url: string, known: boolean): void {
  const tried = attempts.get(ctx.fetch) ?? new Map<string, number>();
  attempts.set(ctx.fetch, tried);
  const key = `${ctx.environmentId} ${url}`;
  const now = ctx.now().getTime();
  if (now - (tried.get(key) ?? Number.NEGATIVE_INFINITY) < RETRY_MS) return;
  if (tried.size >= MOST_REMEMBERED) tried.clear();
  tried.set(key, now);
  fetchLogo(ctx, url, known).catch((error: unknown) =>
    ctx.log.warn({ url, cause: String(error) }, 'a logo was not fetched'),
  );
}
