import type { Runtime } from './runtime/defaults.ts';
import { fetchJson } from './runtime/limited-fetch.ts';
import { isRecord } from './strict-json.ts';
import { isSecureOrLoopback } from './urls.ts';

/**
 * Finds the key set of an issuer from its metadata (RFC 8414 §3, OpenID Connect Discovery §4). A document
 * that names another issuer is not that issuer's document (RFC 8414 §3.3). The answer is remembered.
 */
export function discoverKeySet(
  runtime: Runtime,
  issuer: string,
): () => Promise<string | undefined> {
  let found: string | undefined;
  return async () => {
    if (found !== undefined) return found;
    for (const url of metadataUrls(issuer)) {
      const fetched = await fetchJson(runtime.fetch, url);
      if (fetched.kind !== 'ok' || !isRecord(fetched.value) || fetched.value['issuer'] !== issuer)
        continue;
      const keySet = fetched.value['jwks_uri'];
      if (
        typeof keySet !== 'string' ||
        !URL.canParse(keySet) ||
        !isSecureOrLoopback(new URL(keySet))
      )
        continue;
      found = keySet;
      return found;
    }
    return undefined;
  };
}

function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}
