import type { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { organizationExists } from '../roles/roles.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { noSuchOrganization, noSuchUser } from './user-errors.ts';
import { changedUser, keyOf } from './user-input.ts';
import { userMessages, userWithMemberships, viewOf } from './user-message.ts';
import { countUsers, findUserBy, listUserPage, type UserFilter } from './users.store.ts';
import { changeUser } from './users.ts';

const MOST_LISTED = 100;

/** People of the environment: who they are, and lists of them. */
export const usersRpc: Slice<typeof UserService> = {
  async getUser(ctx, { identities }) {
    const { environmentId } = ctx;
    const found = await findUserBy(ctx.db, { environmentId, key: keyOf(identities) });
    if (!found) throw noSuchUser();
    return { user: await userWithMemberships(ctx, found) };
  },

  async updateUser(ctx, { identities, user }) {
    const key = keyOf(identities);
    if (!user) throw invalidField('user', 'is missing', 'required');
    const changed = await changeUser(ctx, key, (current) => changedUser(current, user));
    if (!changed) throw noSuchUser();
    return { user: await userWithMemberships(ctx, changed) };
  },

  async listUsers(ctx, request) {
    if (request.pageSize > MOST_LISTED)
      throw invalidField('page_size', `must be at most ${MOST_LISTED}`, 'uint32.lte');
    return await part(ctx, request, {});
  },

  async searchUsers(ctx, request) {
    checkText('', { query: request.query });
    return await part(ctx, request, { text: request.query });
  },

  async listOrganizationUsers(ctx, request, { caller }) {
    const { organizationId } = request;
    checkId('organization_id', organizationId, 'org');
    return await part(ctx, request, { organizationId }, viewOf(caller, organizationId));
  },

  async searchOrganizationUsers(ctx, request, { caller }) {
    const { organizationId, query } = request;
    checkId('organization_id', organizationId, 'org');
    checkText('', { query });
    const filter = { organizationId, text: query };
    return await part(ctx, request, filter, viewOf(caller, organizationId));
  },
};

async function part(
  ctx: Ctx,
  asked: { readonly pageToken: string; readonly pageSize: number },
  filter: UserFilter,
  view?: string,
) {
  const { db, environmentId } = ctx;
  const list = `users ${JSON.stringify(filter)}`;
  const page = readPage(ctx, list, asked);
  const { organizationId } = filter;
  if (
    organizationId !== undefined &&
    !(await organizationExists(db, environmentId, organizationId))
  )
    throw noSuchOrganization();
  const rows = await listUserPage(db, { environmentId, filter, page });
  const { items, ...tokens } = pageOf(ctx, list, page, rows);
  return {
    ...tokens,
    totalSize: await countUsers(db, { environmentId, filter }),
    users: await userMessages(ctx, items, view),
  };
}
