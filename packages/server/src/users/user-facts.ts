import { type Organization, organizationFacts } from '../organizations/organizations.ts';
import type { User } from './users.store.ts';

/** A person's profile has the digits of the person's own id. */
export function profileId(userId: string): string {
  return userId.replace(/^usr_/, 'usp_');
}

/** What events say of a person: the `user` object of webhooks. */
export function userFacts(user: User): Readonly<Record<string, unknown>> {
  return {
    id: user.id,
    email: user.email,
    external_id: user.externalId,
    create_time: user.createdAt.toISOString(),
    update_time: user.updatedAt.toISOString(),
    last_login_time: user.lastLoginAt?.toISOString(),
    metadata: user.metadata,
    user_profile: {
      id: profileId(user.id),
      name: user.name,
      given_name: user.givenName,
      family_name: user.familyName,
      email_verified: user.emailVerified,
      phone_number: user.phoneNumber,
      phone_number_verified: user.phoneNumberVerified,
      picture: user.picture,
      gender: user.gender,
      locale: user.locale,
      preferred_username: user.preferredUsername,
      groups: user.groups,
      custom_attributes: user.customAttributes,
      metadata: user.profileMetadata,
      external_identities: [],
    },
  };
}

/** What events say of a person in an organization: `organization` and `user` of webhooks. */
export function membershipFacts(
  organization: Organization,
  user: User,
): Readonly<Record<string, unknown>> {
  return { organization: organizationFacts(organization), user: userFacts(user) };
}
