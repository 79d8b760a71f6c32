import { isSigningAlgorithm, type SigningAlgorithm } from './algorithms.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { Revocation } from './revoked-names.ts';
import { isRecord } from './strict-json.ts';
import { readToken } from './token-syntax.ts';
import { isSigned } from './validate-token.ts';

/** Largest document that is looked at, in bytes. Twice what an authorization server sends (AS-124). */
export const documentSizeLimit = 524_288;

const documentType = 'gatewarden-revocations+jwt';

/** A document of the revocation feed whose signature was checked (AS-124). Times are in seconds since 1970. */
export type RevocationDocument = {
  /** Changes when the sequence may have gone back. */
  readonly epoch: string;
  /** Number of the newest entry. */
  readonly seq: number;
  /** The document holds every entry that matters and is newer than this one; 0: every entry. */
  readonly since: number;
  readonly issuedAt: number;
  readonly entries: readonly Revocation[];
};

/** Why a document was not believed. Stable: the log, the metrics and tests rely on these codes. */
export type DocumentFault =
  | 'malformed'
  | 'type'
  | 'algorithm'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'issued_in_future'
  | 'entries'
  | 'unknown_key'
  | 'withdrawn_key'
  | 'signature';

export type DocumentRules = {
  readonly keys: IssuerKeys;
  readonly algorithms: ReadonlySet<SigningAlgorithm>;
  readonly issuer: string;
  /** Address of the feed at the authorization server, wherever it was fetched. */
  readonly audience: string;
  readonly clockSkewSeconds: number;
  readonly nowSeconds: () => number;
  /** Whether an earlier document took this key back. */
  readonly isWithdrawn: (keyId: string) => boolean;
};

/**
 * Checks one document of the feed (RS-58). Its `typ` keeps it and access tokens apart in both directions
 * (AS-145). A document with one entry that cannot be understood is refused as a whole: that entry might
 * revoke anything.
 */
export async function readRevocationDocument(
  text: string,
  rules: DocumentRules,
): Promise<RevocationDocument | DocumentFault> {
  const read = readToken(text, documentSizeLimit);
  if (typeof read === 'string') return 'malformed';
  const { header, claims } = read;
  if (header['typ'] !== documentType) return 'type';
  const { alg: algorithm, kid: keyId } = header;
  if (!isSigningAlgorithm(algorithm) || !rules.algorithms.has(algorithm)) return 'algorithm';
  if (typeof keyId !== 'string' || keyId.length > 256) return 'unknown_key';
  if (rules.isWithdrawn(keyId)) return 'withdrawn_key';
  if (claims['iss'] !== rules.issuer) return 'issuer';
  if (claims['aud'] !== rules.audience) return 'audience';
  const content = readContent(claims, rules);
  if (typeof content === 'string') return content;
  const found = await rules.keys.find(algorithm, keyId, 'document');
  if (found.kind !== 'found') return 'unknown_key';
  return (await isSigned(text, found.key, algorithm)) ? content : 'signature';
}

function readContent(
  claims: Readonly<Record<string, unknown>>,
  rules: DocumentRules,
): RevocationDocument | DocumentFault {
  const { iat, exp, epoch, seq, since, entries } = claims;
  if (typeof iat !== 'number' || typeof exp !== 'number') return 'malformed';
  const now = rules.nowSeconds();
  if (!(exp + rules.clockSkewSeconds > now)) return 'expired';
  if (!(iat - rules.clockSkewSeconds <= now)) return 'issued_in_future';
  if (typeof epoch !== 'string' || epoch === '' || epoch.length > 256) return 'malformed';
  if (!isSequence(seq) || !isSequence(since) || since > seq) return 'malformed';
  if (!Array.isArray(entries)) return 'entries';
  const read: Revocation[] = [];
  for (const entry of entries) {
    const revocation = readEntry(entry);
    if (!revocation) return 'entries';
    read.push(revocation);
  }
  return { epoch, seq, since, issuedAt: iat, entries: read };
}

function isSequence(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

const names = ['handle', 'jti', 'kid'] as const;

function readEntry(entry: unknown): Revocation | undefined {
  if (!isRecord(entry) || !isSequence(entry['seq'])) return undefined;
  const { until, before } = entry;
  if (typeof until !== 'number' || !Number.isFinite(until)) return undefined;
  const kinds = names.filter((name) => entry[name] !== undefined);
  const [kind] = kinds;
  if (kind === undefined) {
    const readable = typeof before === 'number' && Number.isFinite(before);
    return readable ? { kind: 'before', before, until } : undefined;
  }
  const name = entry[kind];
  if (kinds.length > 1 || before !== undefined || typeof name !== 'string') return undefined;
  return name === '' || name.length > 256 ? undefined : { kind, name, until };
}
