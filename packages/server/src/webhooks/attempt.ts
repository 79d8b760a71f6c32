import { envelopeOf, eventIdOf } from '../events/envelope.ts';
import { signatureHeader, timestampHeader } from '../events/signature.ts';
import type { App } from '../runtime/context.ts';
import { type SecretRow, SecretUnreadable } from '../runtime/secrets.ts';
import { disableFailing } from './disable-failing.ts';
import { type DueDelivery, finishAttempt, type Result } from './due-deliveries.store.ts';
import { DISABLED_AFTER_MS, nextAttemptAt } from './schedule.ts';

const TIMEOUT_MS = 10_000;
/** What is kept of an answer, in bytes. */
const KEPT = 4096;

/** One attempt: the request, and what it came to. The same body and `webhook-id` each time; time and signature are new. */
export async function attemptDelivery(app: App, delivery: DueDelivery): Promise<void> {
  const began = app.now();
  const result = await send(app, delivery, began);
  const outcome = result.succeeded ? 'succeeded' : result.nextAttemptAt ? 'retrying' : 'failed';
  app.metrics.count('gatewarden_webhook_attempts_total', { outcome });
  const now = app.now();
  const failingSince = await finishAttempt(app.db, { ...delivery, result, now });
  if (failingSince && failingSince.getTime() <= now.getTime() - DISABLED_AFTER_MS)
    await disableFailing(app, delivery);
}

async function send(app: App, delivery: DueDelivery, began: Date): Promise<Result> {
  const body = bodyOf(delivery);
  if (body === undefined)
    return failure(app, undefined, began, 'the event is older than events are kept');
  const secrets = secretsOf(app, delivery);
  if (!secrets) return failure(app, delivery, began, 'the secret of the endpoint cannot be read');
  const id = eventIdOf(delivery.eventId);
  const signed = { id, timestamp: began, body };
  const outcome = await app.fetch(delivery.url, {
    timeoutMs: TIMEOUT_MS,
    maxBytes: KEPT,
    accept: ['*/*'],
    anyAnswer: true,
    trustedHosts: app.config.webhookHosts,
    post: {
      contentType: 'application/json',
      body,
      headers: {
        'webhook-id': id,
        'webhook-timestamp': timestampHeader(began),
        'webhook-signature': signatureHeader(secrets, signed),
        ...(delivery.payload && { 'gatewarden-test': 'true' }),
      },
    },
  });
  if (outcome.kind === 'failed') return failure(app, delivery, began, outcome.detail);
  const { status, body: answer } = outcome;
  if (status >= 200 && status < 300) {
    const durationMs = elapsed(app, began);
    return {
      succeeded: true,
      status,
      answer,
      error: undefined,
      durationMs,
      nextAttemptAt: undefined,
    };
  }
  const error =
    status >= 300 && status < 400
      ? `it answers with a redirect (${status}), and redirects are not followed`
      : `it answers with status ${status}`;
  return { ...failure(app, delivery, began, error), status, answer };
}

/** @param delivery absent: trying again would be no use */
function failure(app: App, delivery: DueDelivery | undefined, began: Date, error: string): Result {
  const [high = 0, low = 0] = app.random(2);
  const chance = (high * 256 + low) / 65_536;
  return {
    succeeded: false,
    status: undefined,
    answer: undefined,
    error,
    durationMs: elapsed(app, began),
    nextAttemptAt: delivery && nextAttemptAt(app.now(), delivery.attempts, chance),
  };
}

function elapsed(app: App, began: Date): number {
  return Math.min(Math.max(0, app.now().getTime() - began.getTime()), 2_147_483_647);
}

/** The request's body; undefined when there is no event any more. */
export function bodyOf({
  payload,
  event,
}: Pick<DueDelivery, 'payload' | 'event'>): string | undefined {
  if (payload) return JSON.stringify(payload);
  return event && JSON.stringify(envelopeOf(event));
}

/** What a secret of an endpoint is sealed for. */
export function secretRow(endpoint: { environmentId: string; id: string }): SecretRow {
  return { table: 'webhook_endpoints', ...endpoint };
}

/** Undefined when they were written with an operator key that is not configured: it may come back before the last attempt. */
function secretsOf(app: App, delivery: DueDelivery): string[] | undefined {
  const { environmentId, endpointId } = delivery;
  const row = secretRow({ environmentId, id: endpointId });
  try {
    return [delivery.secret, delivery.previousSecret]
      .filter((sealed) => sealed !== undefined)
      .map((sealed) => Buffer.from(app.secrets.open('secrets-at-rest', row, sealed)).toString());
  } catch (error) {
    if (error instanceof SecretUnreadable) return undefined;
    throw error;
  }
}
