import { WebhookVerificationError } from './errors.ts';
import { nodeHmac } from './runtime/platform.ts';

/** Headers of a request, in the forms that servers have them. */
export type RequestHeaders =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The body as it arrived: parsed and written again it is another text. */
export type RawBody = string | Uint8Array;

export type PayloadKind = 'webhook' | 'interceptor';

/** Five minutes each way. */
const toleranceSeconds = 300;

type Signed = {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly content: Uint8Array<ArrayBuffer>;
  /** Each 32 bytes long. */
  readonly signatures: readonly Uint8Array<ArrayBuffer>[];
};

/**
 * Verifies a request of the server at once.
 *
 * @throws {WebhookVerificationError} it was not signed with this secret, or not within five minutes
 */
export function verifySigned(
  kind: PayloadKind,
  secret: string,
  headers: RequestHeaders,
  body: RawBody,
  now: Date,
): true {
  const createHmac = nodeHmac();
  if (!createHmac)
    throw new WebhookVerificationError(
      'this runtime has no synchronous HMAC: use verifyWebhook or verifyInterceptor',
    );
  const { key, content, signatures } = signedOf(kind, secret, headers, body, now);
  return accept(createHmac('sha256', key).update(content).digest(), signatures);
}

/** The same with Web Crypto, which every runtime has. */
export async function verifySignedLater(
  kind: PayloadKind,
  secret: string,
  headers: RequestHeaders,
  body: RawBody,
  now: Date,
): Promise<true> {
  const { key, content, signatures } = signedOf(kind, secret, headers, body, now);
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, hmac, false, ['sign']);
  return accept(new Uint8Array(await crypto.subtle.sign('HMAC', imported, content)), signatures);
}

function signedOf(
  kind: PayloadKind,
  secret: string,
  headers: RequestHeaders,
  body: RawBody,
  now: Date,
): Signed {
  const id = headerOf(headers, `${kind}-id`);
  const timestamp = headerOf(headers, `${kind}-timestamp`);
  const signature = headerOf(headers, `${kind}-signature`);
  if (!id || !timestamp || !signature)
    throw new WebhookVerificationError('Missing required headers');
  const key = keyOf(secret);
  checkTime(timestamp, now);
  const head = new TextEncoder().encode(`${id}.${Number(timestamp)}.`);
  const raw = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const content = new Uint8Array(head.byteLength + raw.byteLength);
  content.set(head);
  content.set(raw, head.byteLength);
  return { key, content, signatures: signaturesOf(signature) };
}

function headerOf(headers: RequestHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  const [value, ...more] = found.flatMap(([, values]) => values ?? []);
  // Of two that differ nobody can say which one the server sent.
  return more.length === 0 ? value : undefined;
}

/** The secret is a word, `_`, and the key in base64. One without a key would be everybody's. */
function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const encoded = typeof secret === 'string' ? secret.split('_')[1] : undefined;
  const key = encoded ? bytesOf(encoded) : undefined;
  if (!key || key.byteLength === 0) throw new WebhookVerificationError('Invalid secret');
  return key;
}

function checkTime(timestamp: string, now: Date): void {
  if (!/^\d{1,12}$/.test(timestamp))
    throw new WebhookVerificationError('Invalid Signature Headers');
  const ageSeconds = Math.floor(now.getTime() / 1000) - Number(timestamp);
  if (ageSeconds > toleranceSeconds)
    throw new WebhookVerificationError('Message timestamp too old');
  if (ageSeconds < -toleranceSeconds)
    throw new WebhookVerificationError('Message timestamp too new');
}

/** Several while a secret is replaced; versions other than v1 are not for us. */
function signaturesOf(header: string): Uint8Array<ArrayBuffer>[] {
  return header.split(' ').flatMap((one) => {
    const [version, encoded] = one.split(',');
    const bytes = version === 'v1' && encoded ? bytesOf(encoded) : undefined;
    return bytes?.byteLength === 32 ? [bytes] : [];
  });
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function accept(expected: Uint8Array, signatures: readonly Uint8Array[]): true {
  // Every signature is compared to its end, so that time tells nothing about a wrong one.
  const equal = signatures.filter((given) => differences(expected, given) === 0);
  if (equal.length === 0) throw new WebhookVerificationError('Invalid Signature');
  return true;
}

function differences(expected: Uint8Array, given: Uint8Array): number {
  let found = expected.byteLength ^ given.byteLength;
  for (const [at, byte] of expected.entries()) found |= byte ^ (given[at] ?? 0);
  return found;
}
