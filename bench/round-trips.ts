import type { Load } from './load.ts';
import { sampleOf } from './measure.ts';
import { OPERATIONS } from './operations.ts';
import type { DurablePostgres } from './postgres.ts';
import type { Target } from './target.ts';

/** Statements that one request of each operation sends to PostgreSQL, `begin` and `commit` included: each is a round trip. */
export async function countRoundTrips(
  load: Load,
  target: Target,
  postgres: DurablePostgres,
): Promise<Record<string, number>> {
  const trips: Record<string, number> = {};
  for (const operation of OPERATIONS) {
    let requests = 0;
    const statements = await postgres.statementsOf(async () => {
      requests = (await sampleOf(load, target, operation, 1, 100)).done;
    });
    // What runs in the background adds a statement now and then.
    trips[operation.name] = Math.round((statements.length / requests) * 10) / 10;
  }
  return trips;
}
