import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import type { WantedRole } from '../roles/assignments.store.ts';
import { type EmailAddress, parseEmail } from './email-address.ts';
import type { UserKey, UserMembers } from './users.store.ts';

type Texts = Readonly<Record<string, string>>;

/** What requests say of a profile. `firstName` and `lastName` are the older names of the given and the family name. */
export type SentProfile = {
  readonly givenName?: string | undefined;
  readonly familyName?: string | undefined;
  readonly firstName?: string | undefined;
  readonly lastName?: string | undefined;
  readonly name?: string | undefined;
  readonly locale?: string | undefined;
  readonly phoneNumber?: string | undefined;
  readonly picture?: string | undefined;
  readonly gender?: string | undefined;
  readonly preferredUsername?: string | undefined;
  readonly groups: readonly string[];
  readonly metadata: Texts;
  readonly customAttributes: Texts;
};

/** What requests say of a person. */
export type SentUser = {
  readonly externalId?: string | undefined;
  readonly metadata: Texts;
  readonly userProfile?: SentProfile | undefined;
};

/** What requests say of a membership's roles. */
export type SentRole = { readonly id: string; readonly name: string };

/** What requests have where they name a person. */
export type Identities =
  | { readonly case: 'id' | 'externalId'; readonly value: string }
  | { readonly case: undefined; readonly value?: undefined };

/** Characters. The contract states them for the paths and not for the members. */
const LONGEST_EXTERNAL_ID = 510;
const LONGEST_NAME = 512;
const LONGEST_TEXT = 255;

/** @throws {ApiError} invalid_argument: names nobody, or by something that cannot be an id */
export function keyOf(identities: Identities): UserKey {
  switch (identities.case) {
    case 'id':
      checkId('id', identities.value, 'usr');
      return { id: identities.value };
    case 'externalId':
      checkText('', { external_id: identities.value });
      return { externalId: identities.value };
    case undefined:
      throw invalidField('id', 'id or external_id is required', 'required');
  }
}

/** @throws {ApiError} invalid_argument: nothing that mail could be sent to */
export function emailOf(field: string, text: string): EmailAddress {
  const email = parseEmail(text);
  if (!email) throw invalidField(field, 'must be an email address', 'string.email');
  return email;
}

/**
 * The roles of a request, each by its name or else by its id. The same one twice is one.
 *
 * @throws {ApiError} invalid_argument: one has neither
 */
export function wantedRoles(field: string, roles: readonly SentRole[]): WantedRole[] {
  return roles.map(({ id, name }, index) => {
    checkText(`${field}[${index}].`, { id, name });
    if (name !== '') return { name };
    if (id !== '') return { id };
    throw invalidField(`${field}[${index}]`, 'name is required', 'required');
  });
}

const NOTHING: UserMembers = {
  externalId: undefined,
  metadata: {},
  name: '',
  givenName: '',
  familyName: '',
  phoneNumber: '',
  picture: '',
  gender: '',
  locale: '',
  preferredUsername: '',
  groups: [],
  customAttributes: {},
  profileMetadata: {},
};

/** @throws {ApiError} invalid_argument */
export function newMembers(user: SentUser): UserMembers {
  return changedUser(NOTHING, user);
}

/**
 * A person after a change: what the request has replaces what was there, an empty text takes it away, and an empty list or map
 * cannot be told from none. A full name that was put together from its two parts follows them.
 *
 * @throws {ApiError} invalid_argument
 */
export function changedUser(current: UserMembers, user: SentUser): UserMembers {
  const { userProfile: profile, externalId, metadata } = user;
  checkMembers(user);
  const givenName =
    profile?.givenName ||
    profile?.firstName ||
    textOr(profile?.givenName ?? profile?.firstName, current.givenName);
  const familyName =
    profile?.familyName ||
    profile?.lastName ||
    textOr(profile?.familyName ?? profile?.lastName, current.familyName);
  const follows = current.name === fullName(current.givenName, current.familyName);
  return {
    externalId: externalId === undefined ? current.externalId : externalId || undefined,
    metadata: mapOr(metadata, current.metadata),
    name:
      profile?.name ||
      (follows || profile?.name === '' ? fullName(givenName, familyName) : current.name),
    givenName,
    familyName,
    phoneNumber: textOr(profile?.phoneNumber, current.phoneNumber),
    picture: textOr(profile?.picture, current.picture),
    gender: textOr(profile?.gender, current.gender),
    locale: textOr(profile?.locale, current.locale),
    preferredUsername: textOr(profile?.preferredUsername, current.preferredUsername),
    groups: profile && profile.groups.length > 0 ? profile.groups : current.groups,
    customAttributes: mapOr(profile?.customAttributes, current.customAttributes),
    profileMetadata: mapOr(profile?.metadata, current.profileMetadata),
  };
}

const fullName = (given: string, family: string): string => `${given} ${family}`.trim();
const textOr = (text: string | undefined, current: string): string => text ?? current;
const mapOr = (map: Texts | undefined, current: Texts): Texts =>
  map && Object.keys(map).length > 0 ? map : current;

function checkMembers({ externalId, metadata, userProfile }: SentUser): void {
  checkText('user.', { external_id: externalId ?? '', metadata: Object.entries(metadata).flat() });
  checkLength('user.external_id', externalId, LONGEST_EXTERNAL_ID);
  if (!userProfile) return;
  const { name, locale, phoneNumber, gender } = userProfile;
  checkText('user.user_profile.', {
    name: name ?? '',
    given_name: userProfile.givenName ?? '',
    family_name: userProfile.familyName ?? '',
    first_name: userProfile.firstName ?? '',
    last_name: userProfile.lastName ?? '',
    locale: locale ?? '',
    phone_number: phoneNumber ?? '',
    picture: userProfile.picture ?? '',
    gender: gender ?? '',
    preferred_username: userProfile.preferredUsername ?? '',
    groups: userProfile.groups,
    metadata: Object.entries(userProfile.metadata).flat(),
    custom_attributes: Object.entries(userProfile.customAttributes).flat(),
  });
  checkLength('user.user_profile.name', name, LONGEST_NAME);
  checkLength('user.user_profile.locale', locale, LONGEST_TEXT);
  checkLength('user.user_profile.phone_number', phoneNumber, LONGEST_TEXT);
  checkLength('user.user_profile.gender', gender, LONGEST_TEXT);
}

function checkLength(field: string, text: string | undefined, most: number): void {
  if (text !== undefined && [...text].length > most)
    throw invalidField(field, `must have at most ${most} characters`, 'string.max_len');
}
