import type { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { findPermission, listPermissionPage, type Permission } from '../roles/permissions.store.ts';
import { createPermission, deletePermission, describePermission } from '../roles/permissions.ts';
import type { Ctx } from '../runtime/context.ts';
import { findScopeName } from './scopes.store.ts';

const MOST_LISTED = 1000;
const RESERVED_PREFIX = 'sk_';

/**
 * The older names of permissions: the scopes of the environment, under ids of their own. They can do nothing that the calls
 * about permissions cannot, and are there for programs that have not moved on.
 */
export const scopesRpc: Slice<typeof ClientService> = {
  async listScopes(ctx, { envId }) {
    checkEnvironment(ctx, envId);
    const by = { environmentId: ctx.environmentId, builtIn: false };
    const rows = await listPermissionPage(ctx.db, { ...by, page: { limit: MOST_LISTED } });
    return { scopes: rows.slice(0, MOST_LISTED).map(scopeMessage) };
  },

  async createScope(ctx, { envId, scope }) {
    checkEnvironment(ctx, envId);
    if (!scope) throw invalidField('scope', 'is missing', 'required');
    const { name, description } = scope;
    checkText('scope.', { description });
    if (name.startsWith(RESERVED_PREFIX))
      throw invalidField('scope.name', `names with ${RESERVED_PREFIX} are reserved`, 'reserved');
    const created = await createPermission(ctx, { name, description });
    if (created) return { scope: scopeMessage(created) };
    throw invalidField(
      'scope.name',
      'there is a scope of this name already, and a duplicate is not allowed',
      'unique',
    );
  },

  async updateScope(ctx, { id, scope }) {
    const name = await nameOf(ctx, id);
    if (!scope) throw invalidField('scope', 'is missing', 'required');
    const { description, enabled } = scope;
    checkText('scope.', { description });
    if (enabled === false)
      throw invalidField('scope.enabled', 'a scope cannot be switched off', 'unsupported');
    const { environmentId } = ctx;
    const changed =
      description === ''
        ? await findPermission(ctx.db, { environmentId, name })
        : await describePermission(ctx, { name, description });
    if (!changed) throw noSuchScope();
    return { scope: scopeMessage(changed) };
  },

  async deleteScope(ctx, { id }) {
    const outcome = await deletePermission(ctx, await nameOf(ctx, id));
    switch (outcome.kind) {
      case 'deleted':
        return {};
      case 'unknown':
        throw noSuchScope();
      case 'in-use':
        throw new ApiError(
          'failed_precondition',
          'PERMISSION_IN_USE',
          'scope cannot be deleted as MCP servers or roles have it',
        );
    }
  },
};

/** The digits of a permission's id, under the contract's prefix for scopes. */
function scopeMessage({ id, name, description }: Permission) {
  return { id: id.replace(/^perm_/, 'scp_'), name, description, enabled: true };
}

async function nameOf(ctx: Ctx, id: string): Promise<string> {
  checkId('id', id, 'scp');
  const permissionId = id.replace(/^scp_/, 'perm_');
  const name = await findScopeName(ctx.db, { environmentId: ctx.environmentId, permissionId });
  if (name === undefined) throw noSuchScope();
  return name;
}

/** The path may name the environment: the one that was called, or none that there is. */
function checkEnvironment(ctx: Ctx, envId: string): void {
  if (envId === '' || envId === ctx.environmentId) return;
  checkId('env_id', envId, 'env');
  throw new ApiError('not_found', 'ENVIRONMENT_NOT_FOUND', 'there is no such environment');
}

function noSuchScope(): ApiError {
  return new ApiError('not_found', 'SCOPE_NOT_FOUND', 'there is no such scope');
}
