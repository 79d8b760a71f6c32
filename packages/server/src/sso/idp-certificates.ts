import { X509Certificate } from 'node:crypto';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { IdpCertificate } from './connection.ts';

const MOST = 10;
/** Characters of all certificates together. */
const LONGEST = 65_536;

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
    if (type === 'rsa') return (details?.modulusLength ?? 0) >= 2048 ? certificate : undefined;
    return type === 'ec' ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function factsOf(
  ctx: Ctx,
  certificate: X509Certificate,
  taken: ReadonlyMap<string, IdpCertificate>,
): IdpCertificate {
  const ids = new Set([...taken.values()].map(({ id }) => id));
  let id = newId(ctx, 'cert');
  while (ids.has(id)) id = newId(ctx, 'cert');
  return {
    id,
    certificate: certificate.toString(),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    createTime: certificate.validFromDate.toISOString(),
    expiryTime: certificate.validToDate.toISOString(),
  };
}
