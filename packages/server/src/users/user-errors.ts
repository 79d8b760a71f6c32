import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import { isUniqueViolation } from '../storage/db.ts';

export function noSuchUser(): ApiError {
  return new ApiError('not_found', 'USER_NOT_FOUND', 'there is no such user');
}

/** Whoever an application's own login page vouches for belongs to no organization here: nobody proved the address (SSO-69). */
export function signsInElsewhereOnly(): ApiError {
  return new ApiError(
    'failed_precondition',
    'SIGNS_IN_ELSEWHERE',
    'the user signs in to an MCP server with the application’s own login page and cannot be a member here',
  );
}

export function noSuchMember(): ApiError {
  return new ApiError(
    'not_found',
    'MEMBERSHIP_NOT_FOUND',
    'the user is not a member of the organization',
  );
}

export function noSuchOrganization(): ApiError {
  return new ApiError('not_found', 'ORGANIZATION_NOT_FOUND', 'there is no such organization');
}

/** What a violated unique index means to whoever called; undefined for every other error, a taken id included. */
export function duplicateOf(error: unknown): ApiError | undefined {
  const another = 'another user of this environment has it, and a duplicate is not allowed';
  if (isUniqueViolation(error, 'users_by_email'))
    return invalidField('user.email', another, 'unique');
  if (isUniqueViolation(error, 'users_by_external_id'))
    return invalidField('user.external_id', another, 'unique');
  if (isUniqueViolation(error, 'memberships_pkey'))
    return invalidField(
      'id',
      'the user is a member already, and a duplicate is not allowed',
      'unique',
    );
  return undefined;
}
