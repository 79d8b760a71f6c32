import type { App } from '../runtime/context.ts';
import {
  ASSERTIONS_AT_ONCE,
  expireClients,
  forgetOldClientRows,
  forgetUsedAssertions,
} from './reap-clients.store.ts';

const MOST_ROUNDS = 20;
/** Busy machines use many in an hour. */
const MOST_ASSERTION_ROUNDS = 400;

/** Removes clients that expired (AS-67) and what no longer matters about others. Run it every hour; several processes share the work. */
export async function reapClients(app: Pick<App, 'db' | 'now'>): Promise<void> {
  const now = app.now();
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    if ((await expireClients(app.db, now)) === 0) break;
  }
  for (let round = 0; round < MOST_ASSERTION_ROUNDS; round += 1) {
    if ((await forgetUsedAssertions(app.db, now)) < ASSERTIONS_AT_ONCE) break;
  }
  await forgetOldClientRows(app.db, now);
}
