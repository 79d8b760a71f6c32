import type { App } from '../runtime/context.ts';
import { deleteDeadPortalLinks } from './portal-links.store.ts';

const AT_ONCE = 500;
const MOST_ROUNDS = 50;

/** Removes portal links that cannot be opened any more and whose portal is over. Run it every few minutes. */
export async function cleanUpPortalLinks(app: Pick<App, 'db' | 'now'>): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const deleted = await deleteDeadPortalLinks(app.db, { now: app.now(), limit: AT_ONCE });
    if (deleted < AT_ONCE) break;
  }
}
