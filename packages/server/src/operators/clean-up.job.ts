import type { App } from '../runtime/context.ts';
import { deleteDeadOperatorSessions } from './operator-sessions.store.ts';

const AT_ONCE = 500;
const MOST_ROUNDS = 50;

/** Removes operators' sessions that are over. Run it every few minutes. */
export async function cleanUpOperatorSessions(app: Pick<App, 'db' | 'now'>): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const deleted = await deleteDeadOperatorSessions(app.db, { now: app.now(), limit: AT_ONCE });
    if (deleted < AT_ONCE) break;
  }
}
