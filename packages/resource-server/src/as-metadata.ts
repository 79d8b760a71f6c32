import { authorizationServerDocument, metadataUnavailable } from './answers.ts';
import { ConfigurationError } from './errors.ts';
import type { McpServerOptions } from './options.ts';
import type { Respond } from './request.ts';
import type { Runtime } from './runtime/defaults.ts';
import { fetchJson } from './runtime/limited-fetch.ts';
import { isRecord } from './strict-json.ts';
import { ownIssuers } from './trust.ts';

/** Where clients of MCP 2025-03-26 look, at the host of the MCP server itself. */
export const asMetadataPath = '/.well-known/oauth-authorization-server';

const retrySeconds = 30;
const keptSeconds = 86_400;

type Known = { readonly body: string; readonly fetchedAt: number; readonly freshUntil: number };

/**
 * Serves the metadata of R at the host of the MCP server (RS-6); undefined without the option. The document is
 * fetched when it is first asked for, kept for 5 minutes to an hour as it says itself, and up to a day while the
 * authorization server cannot be reached. A document that names another issuer is not shown (RFC 8414 §3.3).
 *
 * @throws {ConfigurationError} missing_issuer: there is no R whose metadata could be served
 */
export function proxiedAsMetadata(
  options: McpServerOptions,
  runtime: Runtime,
): (() => Promise<Respond>) | undefined {
  if (options.proxyAsMetadata !== true) return undefined;
  const issuer = ownIssuers(options)?.resource;
  if (issuer === undefined) {
    throw new ConfigurationError(
      'missing_issuer',
      'proxyAsMetadata needs environmentUrl and resourceId',
    );
  }
  const { origin, pathname } = new URL(issuer);
  const url = `${origin}${asMetadataPath}${pathname}`;
  let known: Known | undefined;
  let nextTry = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;
  const now = (): number => runtime.now().getTime() / 1_000;
  const refresh = async (): Promise<void> => {
    const fetched = await fetchJson(runtime.fetch, url);
    const at = now();
    if (fetched.kind !== 'ok' || !isRecord(fetched.value) || fetched.value['issuer'] !== issuer) {
      nextTry = at + retrySeconds;
      return;
    }
    const fresh = Math.min(Math.max(fetched.maxAgeSeconds ?? 0, 300), 3_600);
    known = { body: JSON.stringify(fetched.value), fetchedAt: at, freshUntil: at + fresh };
  };
  return async () => {
    const at = now();
    if (!(known && at < known.freshUntil) && at >= nextTry) {
      running ??= refresh().finally(() => {
        running = undefined;
      });
      await running;
    }
    const usable = known && now() - known.fetchedAt < keptSeconds;
    return usable && known
      ? authorizationServerDocument(known.body)
      : metadataUnavailable(retrySeconds);
  };
}
