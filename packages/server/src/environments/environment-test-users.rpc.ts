import type { EnvironmentService } from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import { checkOwnEnvironment, ownEnvironment } from './environment-outcome.ts';
import type { TestUsers } from './environments.store.ts';
import { changeEnvironment } from './environments.ts';
import { changedTestUsers } from './test-user-settings.ts';

/** People of tests, whose code is always the same (FSA-92). */
export const environmentTestUsersRpc: Slice<typeof EnvironmentService> = {
  async getEnvironmentTestUser(ctx, { id }) {
    return { testUser: messageOf((await ownEnvironment(ctx, id)).settings.testUsers) };
  },

  async updateEnvironmentTestUser(ctx, { id, testUser }) {
    checkOwnEnvironment(ctx, id);
    if (!testUser) throw invalidField('test_user', 'is missing', 'required');
    const { enabled, staticConfirmationCode: code, emails } = testUser;
    // An empty list cannot be told from none.
    const change = { enabled, code, emails: emails.length > 0 ? emails : undefined };
    const changed = await changeEnvironment(
      ctx,
      'environment.test_users_updated',
      ({ settings }) => ({
        settings: { testUsers: changedTestUsers(ctx, settings.testUsers, change) },
      }),
      ({ settings: { testUsers } }) => ({ enabled: testUsers.enabled, emails: testUsers.emails }),
    );
    return { environmentId: changed.id, testUser: messageOf(changed.settings.testUsers) };
  },
};

function messageOf({ enabled, code, emails }: TestUsers) {
  return { enabled, staticConfirmationCode: code, emails: [...emails] };
}
