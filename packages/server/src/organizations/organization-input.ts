import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { type Feature, featureName } from './features.ts';
import type { NewOrganization, OrganizationKey, OrganizationMembers } from './organizations.ts';

/** What requests say of an organization. */
export type SentOrganization = {
  readonly displayName?: string | undefined;
  readonly externalId?: string | undefined;
  readonly slug?: string | undefined;
  readonly logoUrl?: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Characters. The contract has no limit, the database has. */
const LONGEST_EXTERNAL_ID = 510;

/** What requests have where they name an organization. */
export type Identities =
  | { readonly case: 'id' | 'externalId'; readonly value: string }
  | { readonly case: undefined; readonly value?: undefined };

/** @throws {ApiError} invalid_argument: names none, or by something that cannot be an id */
export function keyOf(identities: Identities): OrganizationKey {
  switch (identities.case) {
    case 'id':
      checkId('id', identities.value, 'org');
      return { id: identities.value };
    case 'externalId':
      checkText('', { external_id: identities.value });
      return { externalId: identities.value };
    case undefined:
      throw invalidField('id', 'id or external_id is required', 'required');
  }
}

/** @throws {ApiError} invalid_argument */
export function newOrganization(
  organization: SentOrganization,
): Omit<NewOrganization, 'regionCode'> {
  const { displayName = '', slug, metadata } = organization;
  checkMembers(organization);
  return {
    displayName,
    slug,
    metadata,
    externalId: organization.externalId || undefined,
    logoUrl: organization.logoUrl || undefined,
  };
}

const MEMBERS = {
  display_name: 'displayName',
  external_id: 'externalId',
  slug: 'slug',
  logo_url: 'logoUrl',
  metadata: 'metadata',
} as const;

/**
 * What a change is about: the members that the mask names, or without a mask those that are there. An empty text takes the
 * member away.
 *
 * @throws {ApiError} invalid_argument
 */
export function changesOf(
  organization: SentOrganization | undefined,
  mask: { readonly paths: readonly string[] } | undefined,
): Partial<OrganizationMembers> {
  if (!organization) throw invalidField('organization', 'is missing', 'required');
  const given = givenMembers(organization, mask);
  checkMembers(organization);
  if (given.has('display_name') && !organization.displayName)
    throw invalidField('organization.display_name', 'cannot be taken away', 'required');
  return {
    ...(given.has('display_name') && { displayName: organization.displayName ?? '' }),
    ...(given.has('external_id') && { externalId: organization.externalId || undefined }),
    ...(given.has('slug') && { slug: organization.slug || undefined }),
    ...(given.has('logo_url') && { logoUrl: organization.logoUrl || undefined }),
    ...(given.has('metadata') && { metadata: organization.metadata }),
  };
}

function givenMembers(
  organization: SentOrganization,
  mask: { readonly paths: readonly string[] } | undefined,
): ReadonlySet<string> {
  const paths = mask?.paths ?? [];
  const unknown = paths.find((path) => !Object.hasOwn(MEMBERS, path));
  if (unknown !== undefined)
    throw invalidField('update_mask', `"${unknown.slice(0, 100)}" cannot be changed`, 'field_mask');
  if (paths.length > 0) return new Set(paths);
  const present = Object.entries(MEMBERS).filter(([name, member]) =>
    name === 'metadata'
      ? Object.keys(organization.metadata).length > 0
      : organization[member] !== undefined,
  );
  return new Set(present.map(([name]) => name));
}

function checkMembers(organization: SentOrganization): void {
  const { displayName, externalId, logoUrl, metadata } = organization;
  checkText('organization.', {
    display_name: displayName ?? '',
    external_id: externalId ?? '',
    metadata: [...Object.keys(metadata), ...Object.values(metadata)],
  });
  if ([...(externalId ?? '')].length > LONGEST_EXTERNAL_ID)
    throw invalidField(
      'organization.external_id',
      `must have at most ${LONGEST_EXTERNAL_ID} characters`,
      'string.max_len',
    );
  if (logoUrl && !isLogoUrl(logoUrl))
    throw invalidField('organization.logo_url', 'must be an https URL', 'uri');
}

function isLogoUrl(text: string): boolean {
  if (!/^https:\/\/[\x21-\x7e]+$/i.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/**
 * The features that a change names, by the names of answers.
 *
 * @throws {ApiError} invalid_argument: a name that does not exist, or one that is there twice
 */
export function featureChanges(
  settings: { readonly features: readonly Feature[] } | undefined,
): Readonly<Record<string, boolean>> {
  if (!settings) throw invalidField('settings', 'is missing', 'required');
  const changes: Record<string, boolean> = {};
  for (const [index, { name, enabled }] of settings.features.entries()) {
    const known = featureName(name);
    const field = `settings.features[${index}].name`;
    if (known === undefined) throw invalidField(field, 'is not a feature', 'in');
    if (Object.hasOwn(changes, known)) throw invalidField(field, 'is named twice', 'unique');
    changes[known] = enabled;
  }
  return changes;
}
