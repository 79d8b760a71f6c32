import type { App } from '../runtime/context.ts';
import { expireClients, forgetOldClientRows } from './reap-clients.store.ts';

const MOST_ROUNDS = 20;

/** Removes clients that expired (AS-67) and what no longer matters about others. Run it every hour; several processes share the work. */
export async function reapClients(app: Pick<App, 'db' | 'now'>): Promise<void> {
  const now = app.now();
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    if ((await expireClients(app.db, now)) === 0) break;
  }
  await forgetOldClientRows(app.db, now);
}
