import type { App } from '../runtime/context.ts';
import {
  AT_ONCE,
  cleanUpLoginRequests,
  deleteDeadRefreshTokens,
  deleteEndedCounters,
  deleteExpiredCodes,
  deleteExpiredFamilies,
} from './clean-up.store.ts';
import { eraseOldSalts } from './refresh-tokens.store.ts';
import { forgetEndedRevocations } from './revocations.store.ts';

/** Erases the way from retired refresh tokens to their successors when their grace is over (AS-108). Run it every few seconds. */
export async function eraseSalts(app: Pick<App, 'db' | 'now'>): Promise<void> {
  await eraseOldSalts(app.db, app.now());
}

/** Rounds of one run; what is left then waits for the next. */
const MOST_ROUNDS = 50;

/** Removes what has expired: codes, pending requests, refresh families, revocations, counters of limits. Run it every few minutes. */
export async function cleanUpGrants(app: Pick<App, 'db' | 'now'>): Promise<void> {
  const now = app.now();
  for (const remove of [
    deleteExpiredCodes,
    cleanUpLoginRequests,
    deleteDeadRefreshTokens,
    deleteExpiredFamilies,
    deleteEndedCounters,
  ]) {
    for (let round = 0; round < MOST_ROUNDS; round += 1)
      if ((await remove(app.db, now)) < AT_ONCE) break;
  }
  await forgetEndedRevocations(app.db, now);
}
