import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import type { InvalidMember } from './client-input.ts';

/** Unknown, of another organization or environment, or deleted: nobody can tell which. */
export function noSuchClient(): ApiError {
  return new ApiError('not_found', 'CLIENT_NOT_FOUND', 'there is no such client');
}

/** A member of the request that a client cannot have. */
export function invalidMember({ field, description }: InvalidMember): ApiError {
  return invalidField(`client.${field}`, description);
}
