import type { App } from '../runtime/context.ts';
import { attemptDelivery } from './attempt.ts';
import { claimDeliveries, type DueDelivery } from './due-deliveries.store.ts';

/** Of all endpoints in one process: more than those of one environment can have. */
const MOST_UNDER_WAY = 400;
/** Longer than an attempt can take; other processes leave a delivery alone for so long. */
const LEASE_MS = 30_000;

type Sending = { stopping: boolean; busy: Map<string, number>; workers: Set<Promise<void>> };

const sendings = new WeakMap<object, Sending>();

/**
 * Begins what is due, and returns: what a slow endpoint takes its time with does not keep the next from being begun. Call it
 * every second; with nothing to do it is one query.
 */
export async function deliverWebhooks(app: App): Promise<void> {
  const sending = sendingOf(app);
  if (sending.stopping || sending.workers.size >= MOST_UNDER_WAY) return;
  for (const delivery of await claim(app, sending)) begin(app, sending, delivery);
}

/** Waits for the attempts under way; none is begun after them. */
export async function finishDeliveries(app: App): Promise<void> {
  const sending = sendingOf(app);
  sending.stopping = true;
  while (sending.workers.size > 0) await Promise.all(sending.workers);
}

function sendingOf(app: App): Sending {
  const known = sendings.get(app);
  if (known) return known;
  const made: Sending = { stopping: false, busy: new Map(), workers: new Set() };
  sendings.set(app, made);
  return made;
}

async function claim(app: App, sending: Sending, only?: DueDelivery): Promise<DueDelivery[]> {
  const now = app.now();
  return await claimDeliveries(app.db, {
    now,
    leaseUntil: new Date(now.getTime() + LEASE_MS),
    busy: Object.fromEntries(sending.busy),
    only,
  });
}

/** One worker goes on with its endpoint until nothing of it is due. */
function begin(app: App, sending: Sending, first: DueDelivery): void {
  const endpoint = `${first.environmentId} ${first.endpointId}`;
  const change = (by: number): void => {
    const count = (sending.busy.get(endpoint) ?? 0) + by;
    if (count > 0) sending.busy.set(endpoint, count);
    else sending.busy.delete(endpoint);
  };
  change(1);
  const worker = attemptDelivery(app, first)
    .catch((error: unknown) => {
      const { environmentId, id } = first;
      const failure = error instanceof Error ? error.name : 'unknown';
      app.log.error({ environmentId, deliveryId: id, failure }, 'a delivery was not written down');
    })
    .finally(() => change(-1))
    .then(async () => {
      if (sending.stopping) return;
      for (const next of await claim(app, sending, first)) begin(app, sending, next);
    })
    .catch((error: unknown) => {
      const failure = error instanceof Error ? error.name : 'unknown';
      app.log.error({ failure }, 'the next deliveries were not found');
    })
    .finally(() => sending.workers.delete(worker));
  sending.workers.add(worker);
}
