import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { ConfigurationError, type McpAuth } from '@gatewarden/resource-server';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';

/** What an identity is bound to. */
export type IdentityOf = {
  readonly auth: McpAuth;
  readonly requestId: string;
  readonly method: string;
  readonly body: Uint8Array | undefined;
};

export type IdentitySigner = {
  /** The value of `X-Gatewarden-Identity` for one request. */
  sign(request: IdentityOf): string;
  /** The public keys that verify it (RFC 7517 §5). */
  readonly keySet: { readonly keys: readonly JWK[] };
};

/** `typ` of identities: no access token has it, so neither passes for the other (RFC 8725 §3.11). */
export const identityType = 'gatewarden-identity+jwt';
const lifetimeSeconds = 60;

/**
 * Signs who calls, for the upstream (ES256). An identity is good for one request: it names its method and the
 * digest of its body, and ends within a minute or with the access token, whichever is first.
 *
 * @throws {ConfigurationError} invalid_option: the key is no P-256 private key
 */
export async function identitySigner(
  pem: string | undefined,
  { issuer, audience, now }: { issuer: string; audience: string; now: () => Date },
): Promise<IdentitySigner> {
  const key = pem === undefined ? newKey() : readKey(pem);
  const jwk = await exportJWK(createPublicKey(key));
  const kid = await calculateJwkThumbprint(jwk);
  const header = encoded({ alg: 'ES256', typ: identityType, kid });
  return {
    keySet: { keys: [{ ...jwk, kid, use: 'sig', alg: 'ES256' }] },
    sign({ auth, requestId, method, body }) {
      const issuedAt = Math.floor(now().getTime() / 1_000);
      const expiresAt = Math.min(
        issuedAt + lifetimeSeconds,
        Math.max(auth.expiresAt, issuedAt + 1),
      );
      const signed = `${header}.${encoded({
        client_id: auth.clientId,
        ...(auth.extra.organizationId === undefined ? {} : { org_id: auth.extra.organizationId }),
        scope: auth.scopes.join(' '),
        machine: auth.extra.machine,
        htm: method,
        body_sha256: createHash('sha256')
          .update(body ?? '')
          .digest('base64url'),
        iss: issuer,
        aud: audience,
        sub: auth.extra.subject,
        iat: issuedAt,
        exp: expiresAt,
        jti: requestId,
      })}`;
      // In this thread: the way to another one and back takes longer than the signature.
      const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    },
  };
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function readKey(pem: string): KeyObject {
  const key = parsed(pem);
  if (key?.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new ConfigurationError(
      'invalid_option',
      'the identity key must be a P-256 private key in PEM; make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
    );
  return key;
}

function parsed(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // what was wrong with it may quote it
  }
}
