import { ApiError } from '../http/api-error.ts';
import { checkId } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { type Environment, findEnvironment } from './environments.store.ts';

export function noSuchEnvironment(): ApiError {
  return new ApiError('not_found', 'ENVIRONMENT_NOT_FOUND', 'there is no such environment');
}

/**
 * The environment that a request names must be the one it was sent to: every other one answers like one that does not exist.
 *
 * @throws {ApiError} invalid_argument, not_found
 */
export function checkOwnEnvironment(ctx: Ctx, id: string): void {
  checkId('id', id, 'env');
  if (id !== ctx.environmentId) throw noSuchEnvironment();
}

/** The same, as it is written at this moment. */
export async function ownEnvironment(ctx: Ctx, id: string): Promise<Environment> {
  checkOwnEnvironment(ctx, id);
  const found = await findEnvironment(ctx.db, id);
  if (!found) throw noSuchEnvironment();
  return found;
}
