import { isDeepStrictEqual } from 'node:util';
import { eventOf, record } from '../events/events.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { forgetRow, rowCache } from '../storage/row-cache.ts';
import {
  type Environment,
  findEnvironment,
  insertEnvironment,
  listEnvironments,
  lockEnvironmentRow,
  type StoredSettings,
  updateEnvironment,
} from './environments.store.ts';

export type { Environment, EnvironmentSettings } from './environments.store.ts';

const cacheOf = rowCache<Environment>('environments');

/**
 * The environment of this request, as of at most 30 seconds ago.
 *
 * @throws {Error} the row is gone: only possible when somebody deletes a tenant under a running process
 */
export async function environmentOf(
  ctx: Pick<Ctx, 'db' | 'environmentId' | 'now'>,
): Promise<Environment> {
  const found = await cacheOf(ctx, ctx.environmentId, ctx.environmentId, () =>
    findEnvironment(ctx.db, ctx.environmentId),
  );
  if (!found) throw new Error(`environment ${ctx.environmentId} does not exist`);
  return found;
}

/** All environments of the deployment, for finding the one a request's host names. */
export async function allEnvironments(app: Pick<App, 'db'>): Promise<Environment[]> {
  return await listEnvironments(app.db);
}

/**
 * The deployment's first environment, made when there is none. Its URL follows the configuration: E is what the operator says
 * it is, and every document is built from it (AS-5). What only development may do (AS-38, AS-152) ends with the first start
 * for production.
 */
export async function ensureFirstEnvironment(app: App): Promise<Environment> {
  return await insertEnvironment(app.db, {
    id: newId(app, 'env'),
    url: app.config.url,
    displayName: app.config.mode === 'dev' ? 'Development' : 'Production',
    kind: app.config.mode === 'dev' ? 'DEVELOPMENT' : 'PRODUCTION',
    createdAt: app.now(),
    derivedUrl,
    isDerived,
  });
}

/**
 * The URL of an environment that is not the first: a name below the first one's host, which nobody chooses, so that a request's
 * host says which environment it means. Undefined: the first one has an address in place of a name, or there is no room.
 */
export function derivedUrl(firstUrl: string, id: string): string | undefined {
  const { protocol, host, hostname } = new URL(firstUrl);
  const name = nameOf(id);
  // Nothing is below an address.
  if (hostname.startsWith('[') || /^[0-9.]+$/.test(hostname)) return undefined;
  return name.length + 1 + hostname.length > LONGEST_HOST
    ? undefined
    : `${protocol}//${name}.${host}`;
}

function isDerived(url: string, id: string): boolean {
  return new URL(url).hostname.startsWith(`${nameOf(id)}.`);
}

function nameOf(id: string): string {
  return id.replace('_', '-');
}

const LONGEST_HOST = 253;

/** What a change of an environment may touch. */
export type EnvironmentChange = {
  readonly displayName?: string;
  readonly settings?: StoredSettings;
};

/**
 * Changes the environment of the context: `change` says what is new, given what it is, and may throw a refusal. Two changes at
 * once come one after the other, so that neither is lost; one that changes nothing leaves no trace.
 *
 * @param type of the event; its data are what `facts` says
 */
export async function changeEnvironment(
  ctx: Ctx,
  type: string,
  change: (current: Environment) => EnvironmentChange,
  facts: (changed: Environment) => Readonly<Record<string, unknown>>,
): Promise<Environment> {
  const { environmentId: id } = ctx;
  const written = await ctx.db.transaction(async (tx) => {
    const current = await lockEnvironmentRow(tx, id);
    if (!current) throw new Error(`environment ${id} does not exist`);
    const { displayName = current.displayName, settings = {} } = change(current);
    const next = { ...current, displayName, settings: { ...current.settings, ...settings } };
    if (isDeepStrictEqual(next, current)) return current;
    const changed = await updateEnvironment(tx, { id, displayName, settings, now: ctx.now() });
    await record(tx, eventOf(ctx, { type, data: facts(changed) }));
    return changed;
  });
  // Others hear of it; whoever asked for the change sees it at once.
  forgetRow(ctx.db, JSON.stringify({ table: 'environments', environment_id: id, id }));
  return written;
}
