import { environmentOf } from '../environments/environments.ts';
import { type EventOf, eventOf, record, recordFor } from '../events/events.ts';
import { forgetRememberedConsents } from '../grants/consents.store.ts';
import { redirectKind, redirectUriProblem } from '../oauth/redirect-uri.ts';
import type { Ctx } from '../runtime/context.ts';
import { equalBytes } from '../runtime/hash.ts';
import type { FetchFailure } from '../runtime/safe-fetch.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import { type Client, clientDigest } from './client.ts';
import { isHostKnown, saveDocument } from './client-documents.store.ts';
import { type ClientMetadata, type JsonObject, readDocument } from './client-metadata.ts';
import { type ClientResolution, type ClientUse, clientRecord } from './client-resolution.ts';
import { type ClientRecord, findClientRecord } from './clients.store.ts';
import { type Acquaintance, fetchWithinBudget } from './fetch-budget.ts';
import { isHostAllowed } from './host-policy.ts';

const LONGEST_URL = 1024;
const LIMITS = { timeoutMs: 5000, maxBytes: 10_240, accept: ['application/json', '+json'] };
const MINUTE = 60_000;
const SHORTEST_CACHE = 5 * MINUTE;
const DEFAULT_CACHE = 60 * MINUTE;
const LONGEST_CACHE = 24 * 60 * MINUTE;
/** How long past its end a document may be shown while it is fetched again (AS-74), and used when that fails (AS-78). */
const SHOWN_STALE = 10 * MINUTE;
const USED_STALE = 24 * 60 * MINUTE;

/** The failures that only say "there was no answer": people see one sentence for all of them (AS-79). */
const NO_ANSWER: readonly FetchFailure[] = [
  'bad-url',
  'name',
  'blocked-address',
  'connection',
  'tls',
  'timeout',
];

type Fetched =
  | { readonly kind: 'valid'; readonly record: ClientRecord }
  | { readonly kind: 'invalid'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string; readonly answered: boolean }
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number };

// Callers of one URL share one fetch. Per app, like the fetch function it hangs on.
const flights = new WeakMap<object, Map<string, Promise<Fetched>>>();

/** Whether a client id is meant as the URL of a metadata document; if it is a bad one, the answer says so. */
export function isDocumentUrl(clientId: string): boolean {
  return /^https?:/i.test(clientId) || clientId.includes('://');
}

/** AS-70, on the raw string: what is wrong with a URL as client id. */
export function documentUrlProblem(
  clientId: string,
  rules: { readonly allowLoopback: boolean },
): string | undefined {
  if (Buffer.byteLength(clientId) > LONGEST_URL) return `it is longer than ${LONGEST_URL} bytes`;
  const problem = fetchUrlProblem(clientId, rules);
  if (problem !== undefined) return problem;
  return new URL(clientId).pathname === '/' ? 'it has no path' : undefined;
}

/** The client whose id is the URL of its metadata document (AS-70 to AS-83). */
export async function resolveDocumentClient(
  ctx: Ctx,
  url: string,
  use: ClientUse,
): Promise<ClientResolution> {
  if (use.mcpServer && !use.mcpServer.metadataDocumentsEnabled) return { kind: 'switched-off' };
  const problem = documentUrlProblem(url, { allowLoopback: ctx.config.allowLoopbackClients });
  if (problem !== undefined)
    return {
      kind: 'invalid-document',
      url: url.slice(0, LONGEST_URL),
      detail: `the client_id URL cannot be used: ${problem}`,
    };
  const { hostname } = new URL(url);
  if (!isHostAllowed(hostname, await environmentOf(ctx), use.mcpServer))
    return { kind: 'host-not-allowed', host: hostname };
  const known = await freshestRecord(ctx, url);
  if (known && !known.deletedAt && !known.client.enabled && use.purpose !== 'token')
    return { kind: 'unknown' };
  const now = ctx.now().getTime();
  const stale = known?.document
    ? now - known.document.freshUntil.getTime()
    : Number.POSITIVE_INFINITY;
  if (known && stale < 0) return usableAt(known.client, url, use);
  if (known && stale < SHOWN_STALE && use.purpose === 'authorize') {
    fetchOnce(ctx, url, known).catch((error: unknown) =>
      ctx.log.warn({ url, cause: String(error) }, 'a metadata document was not fetched again'),
    );
    return usableAt(known.client, url, use);
  }
  const fetched = await fetchOnce(ctx, url, known);
  if (fetched.kind === 'valid') return usableAt(fetched.record.client, url, use);
  if (fetched.kind === 'invalid') return { kind: 'invalid-document', url, detail: fetched.detail };
  if (known && stale < USED_STALE && use.purpose === 'token')
    return usableAt(known.client, url, use);
  if (fetched.kind === 'busy') return fetched;
  // AS-79: at authorize an answer that breaks AS-72 is named; at token all failures look alike.
  return {
    kind: fetched.answered && use.purpose === 'authorize' ? 'invalid-document' : 'unreachable',
    url,
    detail: fetched.detail,
  };
}

/** The server's rule about private-use schemes comes on top of what makes a document valid (AS-54, AS-75). */
function usableAt(client: Client, url: string, use: ClientUse): ClientResolution {
  const privateUseSchemes = use.mcpServer?.settings.privateUseSchemes ?? 'known';
  for (const uri of client.redirectUris) {
    const problem =
      redirectKind(uri) === 'private-use'
        ? redirectUriProblem(uri, { privateUseSchemes })
        : undefined;
    if (problem !== undefined)
      return {
        kind: 'invalid-document',
        url,
        detail: `${uri.slice(0, 200)} cannot be a redirect URI: ${problem}`,
      };
  }
  return { kind: 'found', client };
}

/** From the cache while it is fresh; another process may have fetched since, so a stale one is read again. */
async function freshestRecord(ctx: Ctx, url: string): Promise<ClientRecord | undefined> {
  const remembered = await clientRecord(ctx, url);
  if (!remembered?.document || remembered.document.freshUntil > ctx.now()) return remembered;
  return await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id: url });
}

function fetchOnce(ctx: Ctx, url: string, known: ClientRecord | undefined): Promise<Fetched> {
  const inFlight = flights.get(ctx.fetch) ?? new Map<string, Promise<Fetched>>();
  flights.set(ctx.fetch, inFlight);
  const key = `${ctx.environmentId} ${url}`;
  const current = inFlight.get(key);
  if (current) return current;
  const flight = fetchDocument(ctx, url, known).finally(() => inFlight.delete(key));
  inFlight.set(key, flight);
  return flight;
}

async function fetchDocument(
  ctx: Ctx,
  url: string,
  known: ClientRecord | undefined,
): Promise<Fetched> {
  const outcome = await fetchWithinBudget(ctx, url, LIMITS, await acquaintance(ctx, url, known));
  ctx.metrics.count('gatewarden_metadata_document_fetches_total', { outcome: outcome.kind });
  if (outcome.kind === 'busy') return outcome;
  if (outcome.kind === 'failed') {
    await noteFailure(ctx, url, outcome.reason, outcome.detail);
    return {
      kind: 'failed',
      detail: outcome.detail,
      answered: !NO_ANSWER.includes(outcome.reason),
    };
  }
  const document = parseObject(outcome.body);
  const check = document
    ? readDocument(document, url, {
        privateUseSchemes: 'allow',
        allowLoopback: ctx.config.allowLoopbackClients,
      })
    : ({ kind: 'invalid', description: 'the document is not a JSON object' } as const);
  if (check.kind === 'invalid') {
    await noteFailure(ctx, url, 'invalid-document', check.description);
    return { kind: 'invalid', detail: check.description };
  }
  return {
    kind: 'valid',
    record: await keep(
      ctx,
      url,
      check.metadata,
      freshUntil(ctx.now(), outcome.cacheControl),
      known,
    ),
  };
}

async function acquaintance(
  ctx: Ctx,
  url: string,
  known: ClientRecord | undefined,
): Promise<Acquaintance> {
  if (known?.document) return 'url';
  return (await isHostKnown(ctx.db, {
    environmentId: ctx.environmentId,
    host: new URL(url).hostname,
  }))
    ? 'host'
    : 'none';
}

async function keep(
  ctx: Ctx,
  url: string,
  metadata: ClientMetadata,
  fresh: Date,
  known: ClientRecord | undefined,
): Promise<ClientRecord> {
  const { environmentId } = ctx;
  const changed =
    known?.document !== undefined && !equalBytes(known.document.digest, clientDigest(metadata));
  const event = changed
    ? changeEvent(url, metadata, known.client)
    : known?.document
      ? undefined
      : acceptedEvent(url, metadata);
  const document = {
    environmentId,
    url,
    host: new URL(url).hostname,
    metadata,
    revocationSecret: ctx.random(32),
    freshUntil: fresh,
    now: ctx.now(),
  };
  await ctx.db.transaction(async (tx) => {
    await saveDocument(tx, document);
    if (changed) await forgetRememberedConsents(tx, { environmentId, clientId: url });
    if (event) await record(tx, eventOf(ctx, event));
  });
  const saved = await findClientRecord(ctx.db, { environmentId, id: url });
  if (!saved) throw new Error(`the client of ${url} was not written`);
  return saved;
}

function acceptedEvent(url: string, metadata: ClientMetadata): EventOf {
  return {
    type: 'client.document_accepted',
    clientId: url,
    data: { name: metadata.name, redirectUris: metadata.redirectUris, jwksUri: metadata.jwksUri },
  };
}

/** AS-82: what changed, for whoever looks into it. */
function changeEvent(url: string, after: ClientMetadata, before: Client): EventOf {
  return {
    type: 'client.document_changed',
    clientId: url,
    data: {
      name: after.name,
      redirectUris: after.redirectUris,
      jwksUri: after.jwksUri,
      previousName: before.name,
      previousRedirectUris: before.redirectUris,
      previousJwksUri: before.jwksUri,
    },
  };
}

async function noteFailure(ctx: Ctx, url: string, reason: string, detail: string): Promise<void> {
  await recordFor(ctx, {
    type: 'client.document_refused',
    outcome: 'failure',
    reason,
    clientId: url,
    data: { detail },
  });
}

/** AS-78: what `Cache-Control` says (RFC 9111 section 5.2.2), within 5 minutes and 24 hours; without it an hour. */
function freshUntil(now: Date, cacheControl: string): Date {
  const directives = cacheControl
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim());
  const seconds = directives
    .map((directive) => /^max-age="?([0-9]{1,10})"?$/.exec(directive)?.[1])
    .find((value) => value !== undefined);
  const forbidden = directives.some(
    (directive) => directive === 'no-store' || directive.startsWith('no-cache'),
  );
  const wanted = forbidden ? 0 : seconds === undefined ? DEFAULT_CACHE : Number(seconds) * 1000;
  return new Date(now.getTime() + Math.min(Math.max(wanted, SHORTEST_CACHE), LONGEST_CACHE));
}

function parseObject(body: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined; // checked: an object
  } catch {
    return undefined;
  }
}
