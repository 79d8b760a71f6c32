import { allEnvironments } from '../environments/environments.ts';
import { record } from '../events/events.ts';
import type { App } from '../runtime/context.ts';
import { listUntold, lockEnvironment } from './expiring-certificates.store.ts';

const TYPE = 'connection.certificate_expiring';
/** How long before the end it is told. */
const BEFORE_MS = 30 * 86_400_000;
const AT_ONCE = 200;

/** Tells, once, of certificates of identity providers that end within thirty days. Run it every hour. */
export async function tellExpiringCertificates(app: App): Promise<void> {
  for (const { id: environmentId } of await allEnvironments(app)) {
    const now = app.now();
    const before = new Date(now.getTime() + BEFORE_MS);
    const by = { environmentId, type: TYPE, now, before, limit: AT_ONCE };
    if ((await listUntold(app.db, by)).length === 0) continue;
    await app.db.transaction(async (tx) => {
      await lockEnvironment(tx, environmentId);
      for (const certificate of await listUntold(tx, by))
        await record(tx, {
          environmentId,
          type: TYPE,
          occurredAt: now,
          organizationId: certificate.organizationId,
          data: {
            id: certificate.connectionId,
            organization_id: certificate.organizationId,
            connection_type: certificate.type,
            provider: certificate.provider,
            certificate_id: certificate.certificateId,
            expires_at: certificate.expiryTime,
          },
        });
    });
  }
}
