import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import { ConfigError } from '../runtime/config.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Environment, TestUsers } from './environments.store.ts';

/** The form of a test user's address (FSA-92), in lower case. */
export const TEST_ADDRESS = /^[^@+\s]+\+sktest[^@\s]*@[^@\s]+$/;

const MOST_EMAILS = 5;
const LONGEST_EMAIL = 254;
const CODE = /^[0-9]{6}$/;

/** Absent members stay as they are. */
export type TestUsersChange = {
  readonly enabled: boolean | undefined;
  readonly code: string | undefined;
  readonly emails: readonly string[] | undefined;
};

/**
 * Whether listed addresses may be test users in this environment: in production only where `GATEWARDEN_ALLOW_TEST_USERS` names
 * it, as such an address is proved by a code that is no secret (AS-152).
 */
export function mayHaveTestUsers({
  config,
  environmentId,
}: Pick<Ctx, 'config' | 'environmentId'>): boolean {
  return config.mode === 'dev' || (config.testUserEnvironments ?? []).includes(environmentId);
}

/**
 * Refuses to start for production where an environment has test users that it may not have.
 *
 * @throws {ConfigError}
 */
export function checkTestUsers(
  app: Pick<Ctx, 'config'>,
  environments: readonly Environment[],
): void {
  const wrong = environments.find(
    ({ id, settings }) =>
      settings.testUsers.enabled && !mayHaveTestUsers({ ...app, environmentId: id }),
  );
  if (wrong)
    throw new ConfigError(
      `Environment ${wrong.id} has test users, whose code is no secret; name it in GATEWARDEN_ALLOW_TEST_USERS, or switch them off in development.`,
    );
}

/**
 * The settings after a change. What the change does not name stays as in `current`.
 *
 * @throws {ApiError} invalid_argument: the code or an address; failed_precondition: see `mayHaveTestUsers`
 */
export function changedTestUsers(ctx: Ctx, current: TestUsers, change: TestUsersChange): TestUsers {
  const { enabled = current.enabled, code = current.code, emails = current.emails } = change;
  if (!CODE.test(code))
    throw invalidField('test_user.static_confirmation_code', 'must be six digits', 'pattern');
  checkEmails(emails);
  if (enabled && !mayHaveTestUsers(ctx))
    throw new ApiError(
      'failed_precondition',
      'TEST_USERS_NOT_ALLOWED',
      'GATEWARDEN_ALLOW_TEST_USERS does not name this environment',
    );
  return { enabled, code, emails };
}

function checkEmails(emails: readonly string[]): void {
  if (emails.length > MOST_EMAILS)
    throw invalidField('test_user.emails', `must be at most ${MOST_EMAILS}`, 'repeated.max_items');
  for (const [index, email] of emails.entries()) {
    const field = `test_user.emails[${index}]`;
    if (email.length > LONGEST_EMAIL || email !== email.toLowerCase() || !TEST_ADDRESS.test(email))
      throw invalidField(
        field,
        'must be an address in lower case with +sktest before the @',
        'pattern',
      );
    if (emails.indexOf(email) !== index)
      throw invalidField(field, 'is there twice, and a duplicate is not allowed', 'unique');
  }
}
