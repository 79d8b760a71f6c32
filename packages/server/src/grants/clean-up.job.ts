import type { App } from '../runtime/context.ts';
import {
  cleanUpLoginRequests,
  deleteDeadRefreshTokens,
  deleteExpiredCodes,
} from './clean-up.store.ts';
import { eraseOldSalts } from './refresh-tokens.store.ts';
import { forgetEndedRevocations } from './revocations.store.ts';

/** Erases the way from retired refresh tokens to their successors when their grace is over (AS-108). Run it every few seconds. */
export async function eraseSalts(app: Pick<App, 'db' | 'now'>): Promise<void> {
  await eraseOldSalts(app.db, app.now());
}

/** Removes what has expired: codes, pending requests, revocations, dead refresh tokens. Run it every few minutes. */
export async function cleanUpGrants(app: Pick<App, 'db' | 'now'>): Promise<void> {
  const now = app.now();
  await deleteExpiredCodes(app.db, now);
  await cleanUpLoginRequests(app.db, now);
  await deleteDeadRefreshTokens(app.db, now);
  await forgetEndedRevocations(app.db, now);
}
