import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { Examination } from '../examination.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import type { Gate } from './challenge.ts';
import { present } from './false-tokens.ts';
import type { Resource } from './resource-metadata.ts';

type Key = Readonly<Record<string, unknown>>;

const LIFETIME_SECONDS = 300;
/** Spellings of no algorithm: a list of forbidden names may know one, and the library behind it all. */
const NO_ALGORITHM = ['none', 'None', 'NONE'];

/**
 * Presents tokens that say all the right things and are signed by nobody who may: each of the classical ways in. A server
 * that is open anyhow, or falls over less, is not asked.
 */
export async function examineForgedTokens(
  examination: Examination,
  {
    gate,
    resource,
    server,
    keys,
  }: {
    readonly gate: Gate;
    readonly resource: Resource;
    readonly server: AuthorizationServer;
    readonly keys: readonly Key[];
  },
): Promise<void> {
  if (examination.has('invalid-token-accepted', 'authorization-crash')) return;
  const claims = claimsFor(examination, resource, server);
  const real = keys.find((key) => key['kty'] === 'RSA') ?? keys[0];
  const kid = typeof real?.['kid'] === 'string' ? { kid: real['kid'] } : {};
  const header = { typ: 'at+jwt', ...kid };

  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const strangers = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', ...header })
    .sign(privateKey);
  // Who accepts this looks at no signature at all, and would accept the others for the same reason.
  const first = await present(examination, gate, `Bearer ${strangers}`, 'forged-token-accepted');
  if (!first) return;
  if (first.status === 503)
    examination.note(
      'challenge',
      'Well-formed tokens are answered with 503: the server cannot reach the keys.',
    );

  // A verifier that believes the key in the token finds this signature valid (RFC 8725 §3.10).
  const withItsKey = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', typ: header.typ, jwk: await exportJWK(publicKey) })
    .sign(privateKey);
  if (!(await present(examination, gate, `Bearer ${withItsKey}`, 'forged-token-accepted'))) return;

  for (const alg of NO_ALGORITHM) {
    const unsigned = `${part({ alg, ...header })}.${part(claims)}.`;
    if (!(await present(examination, gate, `Bearer ${unsigned}`, 'unsigned-token-accepted')))
      return;
  }

  for (const secret of real ? secretsOf(real) : []) {
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', ...header })
      .sign(secret);
    if (!(await present(examination, gate, `Bearer ${token}`, 'hmac-token-accepted'))) return;
  }
}

function claimsFor(
  examination: Examination,
  resource: Resource,
  server: AuthorizationServer,
): JWTPayload {
  const now = Math.floor(examination.now().getTime() / 1000);
  const { issuer } = server.metadata;
  return {
    iss: typeof issuer === 'string' ? issuer : server.issuer,
    aud: resource.resource ?? examination.target.href,
    sub: 'gatewarden-doctor',
    client_id: 'gatewarden-doctor',
    scope: (resource.scopes ?? []).join(' '),
    jti: Buffer.from(examination.random(12)).toString('hex'),
    iat: now,
    exp: now + LIFETIME_SECONDS,
  };
}

/** The public key in the texts that a careless verifier may hold as its secret. */
function secretsOf(key: Key): readonly Uint8Array[] {
  const { kty, n, e, crv, x, y } = key;
  try {
    const pem = createPublicKey({
      // The members of a public key and nothing else; createPublicKey throws for what is none.
      key: { kty, n, e, crv, x, y } as JsonWebKey,
      format: 'jwk',
    })
      .export({ type: 'spki', format: 'pem' })
      .toString();
    return [pem, pem.trimEnd(), JSON.stringify(key)].map((text) => new TextEncoder().encode(text));
  } catch {
    return [];
  }
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
