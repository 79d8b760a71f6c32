import { allEnvironments } from '../environments/environments.ts';
import { deleteEventsBefore } from '../events/events.store.ts';
import type { App } from '../runtime/context.ts';
import { countDue, deleteDeliveriesBefore } from './due-deliveries.store.ts';
import { forgetEndedSecrets } from './endpoints.store.ts';

const DAY_MS = 86_400_000;
/** Deliveries are retried for more than a day: no setting may take their events away from them. */
const LEAST_DAYS = 2;
const MOST_DAYS = 3650;
const AT_ONCE = 5000;
/** Rounds of one run; what is left then waits for the next. */
const MOST_ROUNDS = 50;
const MOST_COUNTED = 100_000;

/** Removes events and deliveries that are older than their environment keeps, and secrets that have ended. Run it every few minutes. */
export async function cleanUpEvents(app: App): Promise<void> {
  const now = app.now();
  await forgetEndedSecrets(app.db, now);
  for (const { id: environmentId, settings } of await allEnvironments(app)) {
    const days = Math.min(MOST_DAYS, Math.max(LEAST_DAYS, settings.eventRetentionDays));
    const by = { environmentId, before: new Date(now.getTime() - days * DAY_MS), limit: AT_ONCE };
    for (const remove of [deleteDeliveriesBefore, deleteEventsBefore])
      for (let round = 0; round < MOST_ROUNDS; round += 1)
        if ((await remove(app.db, by)) < AT_ONCE) break;
  }
}

/** Says how many deliveries are due that nobody makes. Once a minute is enough. */
export async function measureWebhooks(app: App): Promise<void> {
  const due = await countDue(app.db, { now: app.now(), most: MOST_COUNTED });
  app.metrics.gauge('gatewarden_webhooks_pending', due);
}
