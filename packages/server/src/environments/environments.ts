import type { App, Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { rowCache } from '../storage/row-cache.ts';
import {
  type Environment,
  findEnvironment,
  insertEnvironment,
  listEnvironments,
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
  });
}
