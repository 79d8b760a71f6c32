import type { App } from '../runtime/context.ts';
import { addUpRowCounts } from './row-counts.store.ts';

/** Keeps the counts of long lists short to read. Every few seconds; with little to add up it is one small query. */
export async function addUpCounts(app: Pick<App, 'db'>): Promise<void> {
  await addUpRowCounts(app.db);
}
