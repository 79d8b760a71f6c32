import { ApiError } from '../http/api-error.ts';
import { intercept } from '../interceptors/intercept.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  findUserBy,
  findUserByEmail,
  signsInElsewhere,
  type User,
  type UserKey,
} from './users.store.ts';

/**
 * Asks the application's interceptors before somebody is invited (FSA-86). To be called outside of transactions. Without the
 * organization or the person there is nothing to ask about: the call goes on, and is refused for that.
 *
 * @throws {ApiError} failed_precondition: it refuses, with its own words
 */
export async function askAboutInvitation(
  ctx: Ctx,
  organizationId: string,
  invited: UserKey | { readonly email: string; readonly emailKey: string },
): Promise<void> {
  const { db, environmentId } = ctx;
  const about = async () => {
    const organization = await findOrganization(db, { environmentId, key: { id: organizationId } });
    const user = await userOf(ctx, invited);
    const email = user?.email ?? ('email' in invited ? invited.email : undefined);
    if (!organization || email === undefined || (user && signsInElsewhere(user))) return undefined;
    return {
      context: {
        user_id: user?.id,
        user_email: email,
        organization_id: organization.id,
        device_type: 'Unknown',
      },
      data: { organization: { id: organization.id, name: organization.displayName } },
    };
  };
  const verdict = await intercept(ctx, 'PRE_USER_INVITATION', about);
  if (verdict.kind === 'deny')
    throw new ApiError(
      'failed_precondition',
      'INVITATION_DENIED',
      verdict.message ?? 'the application refuses this invitation',
    );
}

async function userOf(
  { db, environmentId }: Ctx,
  invited: UserKey | { readonly emailKey: string },
): Promise<User | undefined> {
  return 'emailKey' in invited
    ? await findUserByEmail(db, { environmentId, emailKey: invited.emailKey })
    : await findUserBy(db, { environmentId, key: invited });
}
