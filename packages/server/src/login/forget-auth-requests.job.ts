import { allEnvironments } from '../environments/environments.ts';
import type { App } from '../runtime/context.ts';
import { deleteAuthRequests } from './auth-requests.store.ts';
import { firstAuthRequestId } from './auth-requests.ts';

/** How long lines of the log are kept. */
const KEEP_MS = 90 * 86_400_000;
const AT_ONCE = 5000;
/** Rounds of one run for one environment; what is left then waits for the next. */
const MOST_ROUNDS = 50;

/** Forgets authorization requests of more than 90 days ago. */
export async function forgetAuthRequests(app: Pick<App, 'db' | 'now'>): Promise<void> {
  const beforeId = firstAuthRequestId(new Date(app.now().getTime() - KEEP_MS));
  for (const { id: environmentId } of await allEnvironments(app))
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const by = { environmentId, beforeId, limit: AT_ONCE };
      if ((await deleteAuthRequests(app.db, by)) < AT_ONCE) break;
    }
}
