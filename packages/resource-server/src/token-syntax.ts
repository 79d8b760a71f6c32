import type { RefusalReason } from './errors.ts';
import { decodeBase64url } from './runtime/base64url.ts';
import { isRecord, parseStrictJson } from './strict-json.ts';

/** Largest token that is looked at, in bytes (RS-23). */
const tokenSizeLimit = 16_384;

export type ReadToken = {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
};

/**
 * Reads a compact JWS without believing any of it: exactly three canonical base64url parts, header and
 * payload JSON objects without duplicate members, nothing nested, nothing encrypted (RS-17, RS-23,
 * RFC 7515 §4, RFC 7519 §4). The two strict checks make sure that no other parser of the same token can
 * see another algorithm, key or claim than this one.
 */
export function readToken(
  token: string,
  sizeLimit: number = tokenSizeLimit,
): ReadToken | RefusalReason {
  if (token.length > sizeLimit) return 'too_large';
  const parts = token.split('.');
  const [header, payload, signature] = parts;
  if (
    parts.length !== 3 ||
    header === undefined ||
    payload === undefined ||
    signature === undefined
  ) {
    return 'malformed';
  }
  const headerFields = readPart(header);
  const claims = readPart(payload);
  if (!headerFields || !claims || (signature !== '' && !isCanonical(signature))) return 'malformed';
  if (headerFields['crit'] !== undefined || headerFields['b64'] !== undefined)
    return 'critical_header';
  if (headerFields['cty'] !== undefined || headerFields['zip'] !== undefined) return 'malformed';
  return { header: headerFields, claims };
}

function readPart(part: string): Readonly<Record<string, unknown>> | undefined {
  if (!isCanonical(part)) return undefined;
  try {
    const parsed = parseStrictJson(utf8.decode(decodeBase64url(part)));
    return parsed.kind === 'ok' && isRecord(parsed.value) ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps nothing between calls. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Whether a base64url text is the one canonical spelling of its bytes (RFC 4648 §3.5): several texts for the
 * same bytes would be several tokens. The bits of the last character that belong to no byte must be zero.
 */
function isCanonical(part: string): boolean {
  if (part === '' || /[^A-Za-z0-9_-]/.test(part)) return false;
  switch (part.length % 4) {
    case 0:
      return true;
    case 2:
      return /[AQgw]$/.test(part);
    case 3:
      return /[AEIMQUYcgkosw048]$/.test(part);
    default:
      return false;
  }
}
