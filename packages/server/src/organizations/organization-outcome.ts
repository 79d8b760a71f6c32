import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Organization, OrganizationOutcome } from './organizations.ts';

/** @throws {ApiError} not_found, or invalid_argument for a duplicate */
export function writtenOrganization(outcome: OrganizationOutcome): Organization {
  switch (outcome.kind) {
    case 'written':
      return outcome.organization;
    case 'unknown':
      throw noSuchOrganization();
    case 'taken':
      throw invalidField(
        `organization.${outcome.member}`,
        'another organization of this environment has it, and a duplicate is not allowed',
        'unique',
      );
  }
}

export function noSuchOrganization(): ApiError {
  return new ApiError('not_found', 'ORGANIZATION_NOT_FOUND', 'there is no such organization');
}
