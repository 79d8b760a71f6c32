import type { App } from '../runtime/context.ts';
import { FORGOTTEN_AT_ONCE, forgetDeleted } from './deletions.store.ts';

/** What is still being written about somebody when they are deleted is done by then. */
const SETTLED_MS = 60_000;
/** Rounds of one run; what is left then waits for the next. */
const MOST_ROUNDS = 50;

/** Takes people who were deleted out of the audit log (FSA-67). Run it every minute. */
export async function forgetPeople(app: Pick<App, 'db' | 'now'>): Promise<void> {
  const now = app.now();
  const lookedBefore = new Date(now.getTime() - SETTLED_MS);
  for (let round = 0; round < MOST_ROUNDS; round += 1)
    if ((await forgetDeleted(app.db, { now, lookedBefore })) < FORGOTTEN_AT_ONCE) break;
}
