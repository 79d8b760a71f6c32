import { X509Certificate } from 'node:crypto';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { IdpCertificate } from './connection.ts';

const MOST = 10;
/** Characters of all certificates together. */
const LONGEST = 65_536;
/** Longer keys only make every check slow. */
const RSA_BITS = [2048, 8192] as const;
/** P-256, P-384 and P-521, as OpenSSL calls them. */
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/**
 * The certificates in a text that a person pasted: one or more in PEM, with or without indentation, or the base64 alone.
 * Expired ones are read too; whoever checks a signature looks at the time. Undefined when anything else is in the text.
 */
export function readCertificates(ctx: Ctx, text: string): IdpCertificate[] | undefined {
  if (text.length > LONGEST) return undefined;
  const bodies = text.includes('-----') ? pemBodies(text) : [text];
  if (!bodies || bodies.length === 0 || bodies.length > MOST) return undefined;
  const found = new Map<string, IdpCertificate>();
  for (const body of bodies) {
    const certificate = parsed(body.replace(/\s+/g, ''));
    if (!certificate) return undefined;
    found.set(certificate.fingerprint256, factsOf(ctx, certificate, found));
  }
  return [...found.values()];
}

function pemBodies(text: string): string[] | undefined {
  const block = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g;
  const bodies = [...text.matchAll(block)].map((match) => match[1] ?? '');
  return text.replace(block, '').trim() === '' ? bodies : undefined;
}

function parsed(base64: string): X509Certificate | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  try {
    const certificate = new X509Certificate(Buffer.from(base64, 'base64'));
    // A key of another kind could not check any signature that is accepted (SSO-18).
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
    const bits = details?.modulusLength ?? 0;
    const isStrong =
      type === 'rsa'
        ? bits >= RSA_BITS[0] && bits <= RSA_BITS[1]
        : type === 'ec' && CURVES.has(details?.namedCurve);
    return isStrong && isDate(certificate.validFromDate) && isDate(certificate.validToDate)
      ? certificate
      : undefined;
  } catch {
    return undefined;
  }
}

/** A year of four digits: malformed times are read as any moment, or as none, and nothing could store or show those. */
function isDate(date: Date): boolean {
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999;
}

function factsOf(
  ctx: Ctx,
  certificate: X509Certificate,
  taken: ReadonlyMap<string, IdpCertificate>,
): IdpCertificate {
  const ids = new Set([...taken.values()].map(({ id }) => id));
  const issuer: string | undefined = certificate.issuer; // absent when it has no name, whatever its type says
  let id = newId(ctx, 'cert');
  while (ids.has(id)) id = newId(ctx, 'cert');
  return {
    id,
    certificate: certificate.toString(),
    issuer: issuer?.replaceAll('\n', ', ') ?? '',
    createTime: certificate.validFromDate.toISOString(),
    expiryTime: certificate.validToDate.toISOString(),
  };
}
