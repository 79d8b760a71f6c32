import {
  DirectoryProvider,
  type DirectoryService,
  DirectoryStatus,
  DirectoryType,
  SecretStatus,
} from '@gatewarden/contract/scalekit/v1/directories/directories_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkJson, checkText, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type Directory,
  type DirectoryKey,
  type DirectoryMembers,
  findContext,
  findDirectory,
  listDirectories,
  PROVIDERS,
  type DirectoryProvider as Provider,
  replaceContext,
  type DirectoryStatus as Status,
} from './directories.store.ts';
import { changeDirectory, createDirectory, deleteDirectory } from './directories.ts';
import {
  endpointOf,
  keyOf,
  noSuchDirectory,
  optionalTime,
  precondition,
  refusedEntry,
  secretFacts,
  writtenDirectory,
} from './directory-message.ts';
import { type DirectorySecret, listDirectorySecrets } from './directory-secrets.store.ts';
import { createDirectorySecret } from './directory-secrets.ts';
import {
  listAttributeMappings,
  listRoleAssignments,
  putExternalGroups,
} from './directory-settings.store.ts';
import { MOST_EXTERNAL_GROUPS, MOST_MAPPINGS, writeMappings } from './directory-settings.ts';

const LONGEST_CONTEXT = 16_384;
const STATUSES = ['DRAFT', 'IN_PROGRESS', 'COMPLETED'] as const;

/** Directories: what an organization's identity provider keeps people and groups in. */
export const directoriesRpc: Slice<typeof DirectoryService> = {
  async createDirectory(ctx, { organizationId, directory }) {
    checkId('organization_id', organizationId, 'org');
    if (!directory) throw invalidField('directory', 'is missing', 'required');
    const outcome = await createDirectory(ctx, {
      organizationId,
      type: typeOf(directory.directoryType),
      provider: providerOf(directory.directoryProvider),
    });
    if (outcome.kind === 'unknown') throw noSuchOrganization();
    return { directory: directoryMessage(ctx, writtenDirectory(outcome), NOTHING_YET) };
  },

  async getDirectory(ctx, { organizationId, id }) {
    return { directory: await shown(ctx, keyOf(ctx, organizationId, id)) };
  },

  async listDirectories(ctx, { organizationId }) {
    checkId('organization_id', organizationId, 'org');
    const { environmentId } = ctx;
    const found = await listDirectories(ctx.db, { environmentId, organizationId });
    if (!found) throw noSuchOrganization();
    return { directories: await withDetails(ctx, found) };
  },

  async updateDirectory(ctx, { organizationId, id, directory }) {
    const key = keyOf(ctx, organizationId, id);
    if (!directory) throw invalidField('directory', 'is missing', 'required');
    const { name, directoryType, directoryProvider, status, enabled, mappings, groups } = directory;
    checkText('directory.', { name });
    if (mappings.length > MOST_MAPPINGS)
      throw invalidField(
        'directory.mappings',
        `must be at most ${MOST_MAPPINGS}`,
        'repeated.max_items',
      );
    for (const [index, { displayName }] of mappings.entries())
      checkText(`directory.mappings[${index}].`, { display_name: displayName });
    const ids = groups.map(({ externalId }) => externalId);
    if (new Set(ids).size !== ids.length)
      throw invalidField('directory.groups', 'has an external id twice', 'repeated.unique');
    for (const [index, group] of groups.entries())
      checkText(`directory.groups[${index}].`, {
        external_id: group.externalId,
        display_name: group.displayName,
        email: group.email,
      });
    const changes: Partial<DirectoryMembers> = {
      name,
      ...(directoryProvider !== DirectoryProvider.DIRECTORY_PROVIDER_UNSPECIFIED && {
        provider: providerOf(directoryProvider),
      }),
      ...(status !== DirectoryStatus.DIRECTORY_STATUS_UNSPECIFIED && { status: statusOf(status) }),
      // Not to be told from absent: EnableDirectory and DisableDirectory say it clearly.
      ...(enabled && { enabled }),
    };
    const outcome = await changeDirectory(
      ctx,
      key,
      changes,
      async (tx, { id: directoryId, type }) => {
        if (
          directoryType !== DirectoryType.DIRECTORY_TYPE_UNSPECIFIED &&
          directoryType !== DirectoryType[type]
        )
          throw invalidField('directory.directory_type', 'cannot be changed');
        const { environmentId } = ctx;
        if (mappings.length > 0) {
          const written = await writeMappings(ctx, tx, { id: directoryId }, mappings);
          if (written.kind === 'invalid') throw refusedEntry('directory.mappings', written);
        }
        if (groups.length > 0) {
          const total = await putExternalGroups(tx, { environmentId, directoryId, groups });
          if (total > MOST_EXTERNAL_GROUPS)
            throw precondition(
              'TOO_MANY_GROUPS',
              `a directory knows of at most ${MOST_EXTERNAL_GROUPS} groups of its provider`,
            );
        }
        return mappings.length > 0 || groups.length > 0;
      },
    );
    writtenDirectory(outcome);
    return { directory: await shown(ctx, key) };
  },

  async deleteDirectory(ctx, { organizationId, id }) {
    if (!(await deleteDirectory(ctx, keyOf(ctx, organizationId, id)))) throw noSuchDirectory();
    return {};
  },

  enableDirectory: (ctx, { organizationId, id }) => toggle(ctx, organizationId, id, true),
  disableDirectory: (ctx, { organizationId, id }) => toggle(ctx, organizationId, id, false),

  createDirectorySecret: (ctx, { organizationId, directoryId }) =>
    secret(ctx, keyOf(ctx, organizationId, directoryId, 'directory_id'), false),
  regenerateDirectorySecret: (ctx, { organizationId, directoryId }) =>
    secret(ctx, keyOf(ctx, organizationId, directoryId, 'directory_id'), true),

  async triggerDirectorySync(ctx, { organizationId, directoryId }, { caller }) {
    // Over REST this is a GET: what a browser sends along by itself must not be enough for its effect.
    if (caller.kind !== 'environment-client')
      throw new ApiError(
        'permission_denied',
        'PERMISSION_DENIED',
        'only clients of the environment may use this method',
      );
    const found = await findDirectory(
      ctx.db,
      keyOf(ctx, organizationId, directoryId, 'directory_id'),
    );
    if (!found) throw noSuchDirectory();
    if (!found.enabled) throw precondition('DIRECTORY_DISABLED', 'the directory is disabled');
    if (found.type !== 'SCIM')
      throw precondition('DIRECTORY_NOT_CONNECTED', 'nobody has connected the directory yet');
    // A SCIM provider sends each change when it happens: there is nothing to fetch.
    return {};
  },

  async getDirectoryContext(ctx, { organizationId, directoryId }) {
    const key = keyOf(ctx, organizationId, directoryId, 'directory_id');
    const context = await findContext(ctx.db, key);
    if (!context) throw noSuchDirectory();
    return { context: asJson(context) };
  },

  async updateDirectoryContext(ctx, { organizationId, directoryId, context }) {
    const key = keyOf(ctx, organizationId, directoryId, 'directory_id');
    checkJson('context', context ?? {}, LONGEST_CONTEXT);
    if (!(await replaceContext(ctx.db, key, context ?? {}))) throw noSuchDirectory();
    return {};
  },
};

async function toggle(ctx: Ctx, organizationId: string, id: string, enabled: boolean) {
  const outcome = await changeDirectory(ctx, keyOf(ctx, organizationId, id), { enabled });
  return { enabled: writtenDirectory(outcome).enabled };
}

async function secret(ctx: Ctx, key: DirectoryKey, alone: boolean) {
  const outcome = await createDirectorySecret(ctx, key, { alone });
  switch (outcome.kind) {
    case 'created':
      return { plainSecret: outcome.plain, secret: secretMessage(outcome.secret) };
    case 'unknown':
      throw noSuchDirectory();
    case 'not-scim':
      throw precondition('DIRECTORY_HAS_NO_SECRETS', 'only SCIM directories have secrets');
    case 'too-many':
      throw precondition(
        'TOO_MANY_SECRETS',
        'two secrets are valid and the newer one was never used; use it, or regenerate',
      );
  }
}

async function shown(ctx: Ctx, key: DirectoryKey) {
  const found = await findDirectory(ctx.db, key);
  if (!found) throw noSuchDirectory();
  const [message] = await withDetails(ctx, [found]);
  if (!message) throw noSuchDirectory();
  return message;
}

type Details = {
  readonly secrets: readonly DirectorySecret[];
  readonly assignments: Awaited<ReturnType<typeof listRoleAssignments>>;
  readonly mappings: Awaited<ReturnType<typeof listAttributeMappings>>;
};
const NOTHING_YET: Details = { secrets: [], assignments: [], mappings: [] };

/** As many statements for twenty directories as for one. */
async function withDetails(ctx: Ctx, directories: readonly Directory[]) {
  const { db, environmentId } = ctx;
  if (directories.length === 0) return [];
  const by = { environmentId, directoryIds: directories.map(({ id }) => id) };
  const details: Details = {
    secrets: await listDirectorySecrets(db, { ...by, now: ctx.now() }),
    assignments: await listRoleAssignments(db, by),
    mappings: await listAttributeMappings(db, by),
  };
  return directories.map((directory) => directoryMessage(ctx, directory, details));
}

function directoryMessage(ctx: Ctx, directory: Directory, details: Details) {
  const own = <T extends { readonly directoryId: string }>(list: readonly T[]): T[] =>
    list.filter(({ directoryId }) => directoryId === directory.id);
  const { totalUsers, totalGroups } = directory;
  return {
    id: directory.id,
    name: directory.name,
    organizationId: directory.organizationId,
    directoryType: DirectoryType[directory.type],
    directoryProvider: DirectoryProvider[directory.provider],
    enabled: directory.enabled,
    status: directory.status,
    directoryEndpoint: endpointOf(ctx, directory),
    groupsTracked: directory.groupsTracked,
    totalUsers,
    totalGroups,
    ...optionalTime('lastSyncedAt', directory.lastSyncedAt),
    stats: {
      totalUsers,
      totalGroups,
      ...optionalTime('userUpdatedAt', directory.userUpdatedAt),
      ...optionalTime('groupUpdatedAt', directory.groupUpdatedAt),
    },
    secrets: own(details.secrets).map(secretMessage),
    roleAssignments: {
      assignments: own(details.assignments).map(({ groupId, roleId, roleName }) => ({
        groupId,
        roleId,
        roleName,
      })),
    },
    attributeMappings: {
      attributes: own(details.mappings).map(({ key, mapTo }) => ({ key, mapTo })),
    },
  };
}

function secretMessage(found: DirectorySecret) {
  return {
    ...secretFacts(found),
    status: found.valid ? SecretStatus.ACTIVE : SecretStatus.INACTIVE,
  };
}

function typeOf(type: DirectoryType): 'SCIM' | 'POLL' {
  if (type === DirectoryType.SCIM) return 'SCIM';
  if (type === DirectoryType.POLL) return 'POLL';
  throw invalidField('directory.directory_type', 'must be SCIM or POLL', 'enum');
}

function providerOf(provider: DirectoryProvider): Provider {
  const found = PROVIDERS.find((name) => DirectoryProvider[name] === provider);
  if (!found) throw invalidField('directory.directory_provider', 'is not a provider', 'enum');
  return found;
}

function statusOf(status: DirectoryStatus): Status {
  const found = STATUSES.find((name) => DirectoryStatus[name] === status);
  if (!found) throw invalidField('directory.status', 'is not a status', 'enum');
  return found;
}

/** What was stored was a `google.protobuf.Struct` before. */
function asJson(value: Readonly<Record<string, unknown>>): Record<string, never> {
  return value as Record<string, never>;
}

function noSuchOrganization(): ApiError {
  return new ApiError('not_found', 'ORGANIZATION_NOT_FOUND', 'there is no such organization');
}
