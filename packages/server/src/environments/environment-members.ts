import { checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Environment } from './environments.store.ts';

const LONGEST_NAME = 200;

/** @throws {ApiError} invalid_argument */
export function checkName(displayName: string): void {
  checkText('environment.', { display_name: displayName });
  const { length } = [...displayName];
  if (displayName.trim() === '' || length > LONGEST_NAME)
    throw invalidField(
      'environment.display_name',
      `must have 1 to ${LONGEST_NAME} characters`,
      'string.len',
    );
}

/** What answers say of an environment, but for its region and type, which are words of the contract. */
export function environmentMembers({ id, displayName, url, createdAt, updatedAt }: Environment) {
  return {
    id,
    displayName,
    domain: new URL(url).host,
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
  };
}
