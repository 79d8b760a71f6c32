import type { Runtime } from './runtime/defaults.ts';
import { fetchJson } from './runtime/limited-fetch.ts';
import { isRecord } from './strict-json.ts';
import { isLoopbackName, isSecureOrLoopback } from './urls.ts';

/**
 * Finds the key set of an issuer from its metadata (RFC 8414 §3, OpenID Connect Discovery §4). A document
 * that names another issuer is not that issuer's document (RFC 8414 §3.3), and one that names a key set at a
 * bare address or at this machine counts only when the issuer is there too. The answer is remembered.
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
        !isSecureOrLoopback(new URL(keySet)) ||
        !mayName(new URL(issuer), new URL(keySet))
      )
        continue;
      found = keySet;
      return found;
    }
    return undefined;
  };
}

/** Whether an issuer's metadata may send us to this host: not into our own network by way of an address. */
function mayName(issuer: URL, keySet: URL): boolean {
  const { hostname } = keySet;
  if (hostname === issuer.hostname) return true;
  if (isLoopbackName(hostname)) return isLoopbackName(issuer.hostname);
  return !/^\[|^\d+\.\d+\.\d+\.\d+\.?$|(?:^|\.)localhost\.?$/.test(hostname);
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
