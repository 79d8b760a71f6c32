import type { JsonObject } from '@bufbuild/protobuf';
import type { DirectoryService } from '@gatewarden/contract/scalekit/v1/directories/directories_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { momentOf, timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { ceilingOf } from '../users/privilege-ceiling.ts';
import { type Directory, type DirectoryKey, findDirectory } from './directories.store.ts';
import { preferredUsername } from './directory-facts.ts';
import {
  countDirectoryGroups,
  type DirectoryGroup,
  findDirectoryGroup,
  listDirectoryGroupPage,
} from './directory-groups.store.ts';
import { keyOf, noSuchDirectory, refusedEntry } from './directory-message.ts';
import {
  assignRoles,
  MOST_ASSIGNMENTS,
  MOST_EXTERNAL_GROUPS,
  MOST_MAPPINGS,
  mapAttributes,
  trackGroups,
} from './directory-settings.ts';
import {
  type Belonging,
  belongingOf,
  countDirectoryUsers,
  type DirectoryUser,
  listDirectoryUserPage,
} from './directory-users.store.ts';

/** A summary is one answer: so many groups, the newest. */
const MOST_SUMMARIZED = 1000;

/** People and groups of directories, and what is made of them. */
export const directoryPeopleRpc: Slice<typeof DirectoryService> = {
  async listDirectoryUsers(ctx, request) {
    const key = keyOf(ctx, request.organizationId, request.directoryId, 'directory_id');
    const groupId = request.directoryGroupId;
    if (groupId !== undefined) checkId('directory_group_id', groupId, 'dirgroup');
    const updatedAfter = request.updatedAfter && momentOf('updated_after', request.updatedAfter);
    const list = `directory users ${key.id} ${groupId ?? ''} ${updatedAfter?.getTime() ?? ''}`;
    const page = readPage(ctx, list, request);
    const { id: directoryId, totalUsers } = await directoryOf(ctx, key);
    const { db, environmentId } = ctx;
    const by = { environmentId, directoryId };
    if (groupId !== undefined && !(await findDirectoryGroup(db, { ...by, id: groupId })))
      throw invalidField('directory_group_id', 'is no group of this directory', 'reference');
    const filter = { groupId, updatedAfter };
    const rows = await listDirectoryUserPage(db, { ...by, filter, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    const userIds = items.map(({ id }) => id);
    const belonging = await belongingOf(db, { environmentId, userIds });
    const everybody = groupId === undefined && updatedAfter === undefined;
    return {
      ...tokens,
      totalSize: everybody ? totalUsers : await countDirectoryUsers(db, { ...by, filter }),
      users: items.map((user) =>
        userMessage(user, belonging.get(user.id)?.groups ?? [], request.includeDetail ?? false),
      ),
    };
  },

  async listDirectoryGroups(ctx, request) {
    const key = keyOf(ctx, request.organizationId, request.directoryId, 'directory_id');
    const updatedAfter = request.updatedAfter && momentOf('updated_after', request.updatedAfter);
    const untracked = request.includeExternalGroups ?? false;
    const list = `directory groups ${key.id} ${untracked} ${updatedAfter?.getTime() ?? ''}`;
    const page = readPage(ctx, list, request);
    const { id: directoryId } = await directoryOf(ctx, key);
    const by = { environmentId: ctx.environmentId, directoryId };
    const filter = { updatedAfter, untracked };
    const rows = await listDirectoryGroupPage(ctx.db, { ...by, filter, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalSize: await countDirectoryGroups(ctx.db, { ...by, filter }),
      groups: items.map((group) => groupMessage(group, request.includeDetail ?? false)),
    };
  },

  async listDirectoryGroupsSummary(ctx, { organizationId, directoryId: id }) {
    const { id: directoryId } = await directoryOf(
      ctx,
      keyOf(ctx, organizationId, id, 'directory_id'),
    );
    const by = { environmentId: ctx.environmentId, directoryId, filter: { untracked: false } };
    const rows = await listDirectoryGroupPage(ctx.db, { ...by, page: { limit: MOST_SUMMARIZED } });
    const groups = rows.slice(0, MOST_SUMMARIZED);
    const totalSize =
      rows.length === groups.length ? rows.length : await countDirectoryGroups(ctx.db, by);
    return { totalSize, groups: groups.map((group) => groupMessage(group, false)) };
  },

  async assignGroupsForDirectory(ctx, { organizationId, id, externalIds }) {
    const key = keyOf(ctx, organizationId, id);
    checkMost('external_ids', externalIds.length, MOST_EXTERNAL_GROUPS);
    checkText('', { external_ids: externalIds });
    const wrong = externalIds.findIndex((value) => value === '' || value.length > 256);
    if (wrong >= 0)
      throw invalidField(`external_ids[${wrong}]`, 'must have 1 to 256 characters', 'string.len');
    const outcome = await trackGroups(ctx, key, [...new Set(externalIds)]);
    if (outcome.kind === 'unknown') throw noSuchDirectory();
    return {};
  },

  async assignRoles(ctx, { organizationId, id, roleAssignments }, { caller }) {
    const key = keyOf(ctx, organizationId, id);
    const sent = roleAssignments?.assignments ?? [];
    checkMost('role_assignments', sent.length, MOST_ASSIGNMENTS);
    for (const [index, { groupId, roleId }] of sent.entries()) {
      checkId(`role_assignments[${index}].group_id`, groupId, 'dirgroup');
      if (roleId !== '') checkId(`role_assignments[${index}].role_id`, roleId, 'role');
    }
    const outcome = await assignRoles(
      ctx,
      key,
      sent.map(({ groupId, roleName, roleId }) => ({
        groupId,
        roleName,
        roleId: roleId || undefined,
      })),
      ceilingOf(caller),
    );
    switch (outcome.kind) {
      case 'assigned':
        return {
          roleAssignments: {
            assignments: outcome.assignments.map(({ groupId, roleName, roleId }) => ({
              groupId,
              roleName,
              roleId,
            })),
          },
        };
      case 'unknown':
        throw noSuchDirectory();
      case 'invalid':
        throw refusedEntry('role_assignments', outcome);
    }
  },

  async updateAttributes(ctx, { organizationId, id, attributeMapping }) {
    const key = keyOf(ctx, organizationId, id);
    const sent = attributeMapping?.attributes ?? [];
    checkMost('attribute_mappings', sent.length, MOST_MAPPINGS);
    for (const [index, mapping] of sent.entries())
      checkText(`attribute_mappings[${index}].`, { key: mapping.key, map_to: mapping.mapTo });
    const outcome = await mapAttributes(
      ctx,
      key,
      sent.map((mapping) => ({ key: mapping.key, mapTo: mapping.mapTo, displayName: '' })),
    );
    switch (outcome.kind) {
      case 'mapped':
        return {
          attributeMappings: {
            attributes: outcome.mappings.map((mapping) => ({
              key: mapping.key,
              mapTo: mapping.mapTo,
            })),
          },
        };
      case 'unknown':
        throw noSuchDirectory();
      case 'invalid':
        throw refusedEntry('attribute_mappings', outcome);
    }
  },
};

async function directoryOf(ctx: Ctx, key: DirectoryKey): Promise<Directory> {
  const found = await findDirectory(ctx.db, key);
  if (!found) throw noSuchDirectory();
  return found;
}

function checkMost(field: string, count: number, most: number): void {
  if (count > most) throw invalidField(field, `must be at most ${most}`, 'repeated.max_items');
}

function userMessage(user: DirectoryUser, groups: Belonging['groups'], detail: boolean) {
  const { emails } = user.attributes;
  return {
    id: user.id,
    email: user.email,
    preferredUsername: preferredUsername(user),
    givenName: user.givenName,
    familyName: user.familyName,
    updatedAt: timestampOf(user.updatedAt),
    emails: Array.isArray(emails)
      ? emails.filter((email) => typeof email === 'string')
      : [user.email],
    groups: groups.map(({ id, name }) => ({ id, displayName: name })),
    ...(detail && { userDetail: asStruct({ ...user.raw, active: user.active }) }),
  };
}

function groupMessage(group: DirectoryGroup, detail: boolean) {
  return {
    id: group.id,
    displayName: group.displayName,
    totalUsers: group.totalUsers,
    updatedAt: timestampOf(group.updatedAt),
    ...(detail && { groupDetail: asStruct(group.raw) }),
  };
}

/** What was stored was JSON before. */
function asStruct(value: Readonly<Record<string, unknown>>): JsonObject {
  return value as JsonObject;
}
