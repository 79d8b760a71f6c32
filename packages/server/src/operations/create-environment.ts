import { ensureEnvironmentClient } from '../clients/manage-clients.ts';
import {
  addEnvironment,
  type Environment,
  listEnvironments,
  lockEnvironments,
} from '../environments/environments.store.ts';
import { derivedUrl } from '../environments/environments.ts';
import { refreshSites } from '../environments/sites.ts';
import { eventOf, record } from '../events/events.ts';
import { firstSigningKeys } from '../keys/signing-keys.ts';
import { copyOwners } from '../operators/operators.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';

/** A deployment has so many environments. */
export const MOST_ENVIRONMENTS = 20;

export type CreationOutcome =
  | { readonly kind: 'created'; readonly environment: Environment }
  | { readonly kind: 'too-many' }
  /** The first environment has an address in place of a name, and nothing is below an address. */
  | { readonly kind: 'no-name' }
  /** This process makes another one: keys take time. */
  | { readonly kind: 'busy' };

const busy = new WeakSet<object>();

/**
 * Adds an environment to the deployment, complete or not at all: URL, signing keys, client, roles, and as owners those of the
 * environment that it is asked for in. Requests are sent there as soon as this returns; other processes follow by notification.
 */
export async function createEnvironment(
  ctx: Ctx,
  input: Pick<Environment, 'displayName' | 'kind'>,
): Promise<CreationOutcome> {
  if (busy.has(ctx.db)) return { kind: 'busy' };
  busy.add(ctx.db);
  try {
    const outcome = await create(ctx, input);
    if (outcome.kind === 'created') await refreshSites(ctx);
    return outcome;
  } finally {
    busy.delete(ctx.db);
  }
}

async function create(
  ctx: Ctx,
  { displayName, kind }: Pick<Environment, 'displayName' | 'kind'>,
): Promise<CreationOutcome> {
  const id = newId(ctx, 'env');
  // Before the keys, which take time; what holds is decided under the lock.
  const refusal = refusalOf(await listEnvironments(ctx.db), id);
  if (refusal) return refusal;
  const addKeys = await firstSigningKeys(ctx, id);
  return await ctx.db.transaction(async (tx) => {
    const existing = await lockEnvironments(tx);
    const [first] = existing;
    const url = first && derivedUrl(first.url, id);
    if (url === undefined) return { kind: 'no-name' };
    if (existing.length >= MOST_ENVIRONMENTS) return { kind: 'too-many' };
    const createdAt = ctx.now();
    const environment = await addEnvironment(tx, { id, url, displayName, kind, createdAt });
    await addKeys(tx);
    // The configured client is that of the first environment.
    const config = { ...ctx.config, client: undefined };
    await ensureEnvironmentClient({ ...withDb(ctx, tx), config }, environment);
    const inside: Ctx = { ...withDb(ctx, tx), environmentId: id, issuer: url };
    await copyOwners(inside, ctx.environmentId);
    const data = { id, display_name: displayName, url, type: kind };
    await record(tx, eventOf(ctx, { type: 'environment.created', data }));
    return { kind: 'created', environment };
  });
}

function refusalOf(existing: readonly Environment[], id: string): CreationOutcome | undefined {
  const [first] = existing;
  if (!first || derivedUrl(first.url, id) === undefined) return { kind: 'no-name' };
  return existing.length >= MOST_ENVIRONMENTS ? { kind: 'too-many' } : undefined;
}
