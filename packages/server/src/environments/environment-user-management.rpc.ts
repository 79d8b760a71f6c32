import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type EnvironmentService,
  OrgUserRelationshipType,
  type UserManagement,
  type UserManagementSchema,
} from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { checkOwnEnvironment, ownEnvironment } from './environment-outcome.ts';
import { DEFAULT_SETTINGS, type Environment } from './environments.store.ts';
import { changeEnvironment } from './environments.ts';
import {
  changedUserManagement,
  type UserManagementChange,
  type UserManagementSettings,
} from './user-management-settings.ts';

/** Who may sign up or be invited, for how long, and into how many organizations. */
export const environmentUserManagementRpc: Slice<typeof EnvironmentService> = {
  async getEnvironmentUserManagement(ctx, { id }) {
    return { userManagement: messageOf(await ownEnvironment(ctx, id)) };
  },

  /** What is not named is as in a new environment. */
  async createEnvironmentUserManagement(ctx, { id, userManagement }) {
    return await write(ctx, id, userManagement, () => DEFAULT_SETTINGS);
  },

  async updateEnvironmentUserManagement(ctx, { id, userManagement }) {
    return await write(ctx, id, userManagement, ({ settings }) => settings);
  },
};

async function write(
  ctx: Ctx,
  id: string,
  sent: UserManagement | undefined,
  base: (current: Environment) => UserManagementSettings,
) {
  checkOwnEnvironment(ctx, id);
  if (!sent) throw invalidField('user_management', 'is missing', 'required');
  const change = changeOf(sent);
  const changed = await changeEnvironment(
    ctx,
    'environment.user_management_updated',
    (current) => ({ settings: changedUserManagement(base(current), change) }),
    ({ settings }) => ({
      allow_organization_signup: settings.signUpAllowed,
      invitation_expiry: settings.invitationMinutes,
      block_public_email_domains: settings.blockPublicEmailDomains,
      block_disposable_email_domains: settings.blockDisposableEmailDomains,
      enable_max_users_limit: settings.maxUsersEnabled,
      max_users_limit: settings.maxUsers || undefined,
      allow_multiple_memberships: settings.multipleMemberships,
    }),
  );
  return { environmentId: changed.id, userManagement: messageOf(changed) };
}

/** What has no effect here is refused, so that nobody relies on it. */
function changeOf(sent: UserManagement): UserManagementChange {
  if (sent.allowDuplicateUserIdentities === true)
    throw refused('allow_duplicate_user_identities', 'there is one user for each address');
  if (sent.syncUserProfileOnSignin === true)
    throw refused('sync_user_profile_on_signin', 'profiles change over the API alone');
  return {
    signUpAllowed: sent.allowOrganizationSignup,
    invitationMinutes: sent.invitationExpiry,
    blockPublicEmailDomains: sent.blockPublicEmailDomains,
    blockDisposableEmailDomains: sent.blockDisposableEmailDomains,
    maxUsersEnabled: sent.enableMaxUsersLimit,
    maxUsers: sent.maxUsersLimit,
    multipleMemberships: multipleMemberships(sent),
  };
}

/** Two members of the contract say one thing. */
function multipleMemberships({
  allowMultipleMemberships: allowed,
  orgUserRelationship: relationship,
}: UserManagement): boolean | undefined {
  if (relationship === OrgUserRelationshipType.OrgUserRelationshipType_UNSPECIFIED) return allowed;
  const several = relationship === OrgUserRelationshipType.MULTIPLE_ORGANIZATIONS;
  if (allowed !== undefined && allowed !== several)
    throw invalidField(
      'user_management.org_user_relationship',
      'contradicts allow_multiple_memberships',
    );
  return several;
}

function refused(name: string, description: string) {
  return invalidField(`user_management.${name}`, description, 'supported');
}

function messageOf({ settings }: Environment): MessageInitShape<typeof UserManagementSchema> {
  const { maxUsers, multipleMemberships: several } = settings;
  return {
    allowDuplicateUserIdentities: false,
    allowMultipleMemberships: several,
    allowOrganizationSignup: settings.signUpAllowed,
    orgUserRelationship: several
      ? OrgUserRelationshipType.MULTIPLE_ORGANIZATIONS
      : OrgUserRelationshipType.SINGLE_ORGANIZATION,
    enableMaxUsersLimit: settings.maxUsersEnabled,
    ...(maxUsers > 0 && { maxUsersLimit: maxUsers }),
    invitationExpiry: settings.invitationMinutes,
    blockDisposableEmailDomains: settings.blockDisposableEmailDomains,
    blockPublicEmailDomains: settings.blockPublicEmailDomains,
    syncUserProfileOnSignin: false,
  };
}
