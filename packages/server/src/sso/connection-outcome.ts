import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import type {
  Connection,
  ConnectionOutcome,
  DeletedConnection,
  SwitchedConnection,
} from './connections.ts';

export function noSuchConnection(): ApiError {
  return new ApiError('not_found', 'CONNECTION_NOT_FOUND', 'there is no such connection');
}

/** @throws {ApiError} not_found, invalid_argument for a duplicate, failed_precondition while people sign in by it */
export function writtenConnection(outcome: ConnectionOutcome): Connection {
  switch (outcome.kind) {
    case 'written':
      return outcome.connection;
    case 'unknown':
      throw noSuchConnection();
    case 'taken':
      throw invalidField(
        'connection.key_id',
        'another connection has it, and a duplicate is not allowed',
        'unique',
      );
    case 'in-use':
      throw new ApiError(
        'failed_precondition',
        'CONNECTION_ENABLED',
        'people sign in by this connection: disable it before a change that it would not work with',
      );
  }
}

/** @throws {ApiError} not_found: the organization was deleted meanwhile; and as `writtenConnection` */
export function createdConnection(outcome: ConnectionOutcome): Connection {
  if (outcome.kind === 'unknown') throw noSuchOrganization();
  return writtenConnection(outcome);
}

/** @throws {ApiError} not_found, failed_precondition */
export function checkDeleted(outcome: DeletedConnection): void {
  switch (outcome) {
    case 'deleted':
      return;
    case 'unknown':
      throw noSuchConnection();
    case 'in-use':
      throw new ApiError(
        'failed_precondition',
        'CONNECTION_IN_USE',
        'an MCP server signs people in by this connection: take it away from the server first',
      );
  }
}

/** @throws {ApiError} not_found, failed_precondition */
export function switchAnswer(outcome: SwitchedConnection): {
  readonly enabled: boolean;
  readonly errorMessage?: string;
} {
  switch (outcome.kind) {
    case 'switched':
      return { enabled: outcome.connection.enabled };
    case 'as-it-was': {
      const { enabled } = outcome.connection;
      const errorMessage = `the connection is ${enabled ? 'enabled' : 'disabled'} already`;
      return { enabled, errorMessage };
    }
    case 'unknown':
      throw noSuchConnection();
    case 'incomplete':
      throw new ApiError(
        'failed_precondition',
        'CONNECTION_INCOMPLETE',
        'the connection cannot be enabled: its configuration is not complete',
      );
  }
}
