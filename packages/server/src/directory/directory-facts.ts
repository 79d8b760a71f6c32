import type { Directory } from './directories.store.ts';
import type { DirectoryGroup } from './directory-groups.store.ts';
import type { Belonging, DirectoryUser } from './directory-users.store.ts';

type Facts = Readonly<Record<string, unknown>>;

/** What events say of a directory. */
export function directoryFacts(directory: Directory): Facts {
  return {
    id: directory.id,
    organization_id: directory.organizationId,
    directory_type: directory.type,
    provider:
      directory.provider === 'DIRECTORY_PROVIDER_UNSPECIFIED' ? 'CUSTOM' : directory.provider,
    enabled: directory.enabled,
    updated_at: directory.updatedAt.toISOString(),
  };
}

/** Attributes beside the ones with columns of their own, in the order and by the names that events have. */
const FURTHER = [
  'phone_number',
  'title',
  'department',
  'division',
  'cost_center',
  'employee_id',
  'user_type',
  'organization',
  'nickname',
  'profile',
  'picture',
  'address',
  'language',
  'locale',
  'zoneinfo',
] as const;

/** What events say of a person in a directory. */
export function directoryUserFacts(
  organizationId: string,
  user: DirectoryUser,
  { groups, roles }: Belonging,
): Facts {
  const { attributes } = user;
  return {
    id: user.id,
    organization_id: organizationId,
    dp_id: user.externalId,
    email: user.email,
    active: user.active,
    name: fullName(user),
    given_name: user.givenName,
    family_name: user.familyName,
    preferred_username: preferredUsername(user),
    groups,
    roles: roles.map((name) => ({ role_name: name })),
    ...Object.fromEntries(FURTHER.map((name) => [name, attributes[name]])),
    custom_attributes: attributes['custom_attributes'] ?? {},
    raw_attributes: user.raw,
  };
}

/** What events say of a person who was deleted. */
export function deletedUserFacts(organizationId: string, user: DirectoryUser): Facts {
  return {
    id: user.id,
    organization_id: organizationId,
    dp_id: user.externalId,
    email: user.email,
  };
}

/** What events say of a group; of one that was deleted, the provider's id under another name. */
export function groupFacts(organizationId: string, group: DirectoryGroup, deleted = false): Facts {
  return {
    id: group.id,
    directory_id: group.directoryId,
    organization_id: organizationId,
    display_name: group.displayName,
    [deleted ? 'dp_id' : 'external_id']: group.externalId,
    raw_attributes: group.raw,
  };
}

export function preferredUsername({ attributes, userName }: DirectoryUser): string {
  const given = attributes['preferred_username'];
  return typeof given === 'string' && given !== '' ? given : userName;
}

function fullName({ attributes, givenName, familyName }: DirectoryUser): string | undefined {
  const given = attributes['name'];
  if (typeof given === 'string' && given !== '') return given;
  return [givenName, familyName].filter((part) => part !== '').join(' ') || undefined;
}
