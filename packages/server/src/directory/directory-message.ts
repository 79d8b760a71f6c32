import { ApiError } from '../http/api-error.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Directory, DirectoryKey } from './directories.store.ts';
import type { DirectoryOutcome } from './directories.ts';
import { MOST_DIRECTORIES } from './directories.ts';
import type { DirectorySecret } from './directory-secrets.store.ts';
import type { EntryFault } from './directory-settings.ts';

/** @throws {ApiError} invalid_argument: one of the two cannot be an id */
export function keyOf(
  { environmentId }: Pick<Ctx, 'environmentId'>,
  organizationId: string,
  id: string,
  field: 'id' | 'directory_id' = 'id',
): DirectoryKey {
  checkId('organization_id', organizationId, 'org');
  checkId(field, id, 'dir');
  return { environmentId, organizationId, id };
}

/** The directory that was written. @throws {ApiError} for every other outcome */
export function writtenDirectory(outcome: DirectoryOutcome): Directory {
  switch (outcome.kind) {
    case 'written':
      return outcome.directory;
    case 'unknown':
      throw noSuchDirectory();
    case 'other-enabled':
      throw precondition(
        'DIRECTORY_EXISTS',
        'another directory of this organization is enabled; disable it first',
      );
    case 'too-many':
      throw precondition(
        'TOO_MANY_DIRECTORIES',
        `an organization has at most ${MOST_DIRECTORIES} directories`,
      );
  }
}

export function noSuchDirectory(): ApiError {
  return new ApiError('not_found', 'DIRECTORY_NOT_FOUND', 'there is no such directory');
}

export function precondition(errorCode: string, message: string): ApiError {
  return new ApiError('failed_precondition', errorCode, message);
}

/** A refused entry of a list that stands at `path` in the request. */
export function refusedEntry(path: string, { index, member, detail }: EntryFault): ApiError {
  return invalidField(`${path}[${index}].${member}`, detail);
}

/** Base address that a provider sends people to; empty for directories that are fetched. */
export function endpointOf({ issuer }: Pick<Ctx, 'issuer'>, { id, type }: Directory): string {
  return type === 'SCIM' ? `${issuer}/directory/${id}/scim/v2` : '';
}

/** A moment for a message; absent when there is none. */
export function optionalTime<N extends string>(
  name: N,
  moment: Date | undefined,
): { [K in N]?: ReturnType<typeof timestampOf> } {
  // One member of the name that the type says, or none.
  return (moment ? { [name]: timestampOf(moment) } : {}) as {
    [K in N]?: ReturnType<typeof timestampOf>;
  };
}

/** A secret without what it proves. `valid` becomes the wire's status by the caller. */
export function secretFacts(secret: DirectorySecret) {
  return {
    id: secret.id,
    directoryId: secret.directoryId,
    secretSuffix: secret.suffix,
    createTime: timestampOf(secret.createdAt),
    expireTime: timestampOf(secret.expiresAt),
    ...optionalTime('lastUsedTime', secret.lastUsedAt),
  };
}
