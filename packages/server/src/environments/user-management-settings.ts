import { invalidField } from '../http/request-checks.ts';
import type { EnvironmentSettings } from './environments.store.ts';

/** The part of an environment's settings that says who comes in, and where. */
export type UserManagementSettings = Pick<
  EnvironmentSettings,
  | 'signUpAllowed'
  | 'invitationMinutes'
  | 'blockPublicEmailDomains'
  | 'blockDisposableEmailDomains'
  | 'maxUsersEnabled'
  | 'maxUsers'
  | 'multipleMemberships'
>;

/** Absent members stay as they are. */
export type UserManagementChange = {
  readonly [P in keyof UserManagementSettings]?: UserManagementSettings[P] | undefined;
};

/**
 * The settings after a change. What the change does not name stays as in `base`.
 *
 * @throws {ApiError} invalid_argument: a limit is switched on that nobody has named
 */
export function changedUserManagement(
  base: UserManagementSettings,
  change: UserManagementChange,
): UserManagementSettings {
  const maxUsers = change.maxUsers ?? base.maxUsers;
  const maxUsersEnabled = change.maxUsersEnabled ?? base.maxUsersEnabled;
  if (maxUsersEnabled && maxUsers === 0)
    throw invalidField(
      'user_management.max_users_limit',
      'is required when the limit is switched on',
      'required',
    );
  return {
    signUpAllowed: change.signUpAllowed ?? base.signUpAllowed,
    invitationMinutes: change.invitationMinutes ?? base.invitationMinutes,
    blockPublicEmailDomains: change.blockPublicEmailDomains ?? base.blockPublicEmailDomains,
    blockDisposableEmailDomains:
      change.blockDisposableEmailDomains ?? base.blockDisposableEmailDomains,
    maxUsersEnabled,
    maxUsers,
    multipleMemberships: change.multipleMemberships ?? base.multipleMemberships,
  };
}
