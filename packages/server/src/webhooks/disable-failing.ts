import { queueMail } from '../email/mails.ts';
import { allEnvironments } from '../environments/environments.ts';
import { record } from '../events/events.ts';
import { html } from '../pages/html.ts';
import { document } from '../pages/mails.ts';
import type { App } from '../runtime/context.ts';
import { disableEndpoint, type Endpoint, operatorAddresses } from './endpoints.store.ts';
import { DISABLED_AFTER_MS } from './schedule.ts';

const MAIL_EXPIRES_MS = 2 * 86_400_000;

/**
 * Disables an endpoint that has done nothing but fail for five days, and tells the operators. Of several processes that find
 * out at once, one does.
 */
export async function disableFailing(
  app: App,
  by: { readonly environmentId: string; readonly endpointId: string },
): Promise<void> {
  const { environmentId, endpointId } = by;
  const now = app.now();
  const told = await app.db.transaction(async (tx) => {
    const disabled = await disableEndpoint(tx, {
      environmentId,
      id: endpointId,
      because: 'failing',
      failingBefore: new Date(now.getTime() - DISABLED_AFTER_MS),
      now,
    });
    if (!disabled) return undefined;
    await record(tx, {
      environmentId,
      type: 'webhook_endpoint.disabled',
      occurredAt: now,
      reason: 'failing',
      data: {
        id: disabled.id,
        url: new URL(disabled.url).origin,
        failing_since: disabled.failingSince?.toISOString(),
      },
    });
    const addresses = await operatorAddresses(tx, environmentId);
    await tell({ ...app, db: tx }, disabled, addresses);
    return addresses.length;
  });
  if (told !== undefined)
    app.log.warn(
      { environmentId, endpointId, told },
      'a webhook endpoint that only failed for five days was disabled',
    );
}

async function tell(app: App, endpoint: Endpoint, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return;
  const { environmentId } = endpoint;
  const environments = await allEnvironments(app);
  const issuer = environments.find(({ id }) => id === environmentId)?.url ?? app.config.url;
  const ctx = {
    ...app,
    environmentId,
    issuer,
    requestId: 'req_webhooks',
    network: { address: '127.0.0.1', userAgent: 'gatewarden' },
  };
  const mail = disabledMail(endpoint, issuer);
  for (const to of addresses)
    await queueMail(ctx, {
      to,
      mail,
      expiresAt: new Date(app.now().getTime() + MAIL_EXPIRES_MS),
      send: true,
    });
}

function disabledMail(
  { id, url }: Endpoint,
  issuer: string,
): { subject: string; text: string; html: string } {
  const subject = 'A webhook endpoint was disabled';
  const happened = `${issuer} could not deliver anything to ${new URL(url).host} for five days, and has stopped trying.`;
  const next = `Enable the endpoint ${id} again when it answers; what was not delivered can then be delivered once more.`;
  return {
    subject,
    text: `${happened}\n\n${next}\n`,
    html: document('en', subject, html`<p>${happened}</p><p>${next}</p>`, id),
  };
}
