import { createHmac } from 'node:crypto';
import type { App } from '../runtime/context.ts';

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

/** A new secret for signing what is sent: `whsec_` and standard base64. Receivers take what lies between the first two underscores. */
export function newSigningSecret(app: Pick<App, 'random'>): string {
  return `${PREFIX}${Buffer.from(app.random(SECRET_BYTES)).toString('base64')}`;
}

/** What is signed: all three, so that neither an old body nor an old time can be sent again as something new. */
export type Signed = {
  readonly id: string;
  readonly timestamp: Date;
  /** As it goes over the wire. */
  readonly body: string;
};

/** The value of `webhook-timestamp`: whole seconds since 1970. */
export function timestampHeader(timestamp: Date): string {
  return String(Math.floor(timestamp.getTime() / 1000));
}

/** The value of `webhook-signature` (FSA-83): one signature for each secret, the first by the newest. */
export function signatureHeader(secrets: readonly string[], signed: Signed): string {
  const text = `${signed.id}.${timestampHeader(signed.timestamp)}.${signed.body}`;
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
      return `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
    })
    .join(' ');
}
