import { ApiError } from '../http/api-error.ts';
import { checkId } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { secretMessage } from './client-message.ts';
import { noSuchClient } from './client-refusals.ts';
import {
  addSecret,
  deleteSecretUnlessLast,
  type SecretOutcome,
  secretRefusal,
} from './client-secrets.ts';
import { type ClientRecord, findClientRecord } from './clients.store.ts';

/** @throws {ApiError} invalid_argument */
export function checkSecretId(id: string): void {
  checkId('secret_id', id, 'sec');
}

/**
 * A further secret of this client, with the one chance to read it.
 *
 * @throws {ApiError} failed_precondition: a public client, or one that has enough
 */
export async function createSecret(ctx: Ctx, before: ClientRecord) {
  const { id } = before.client;
  const refused = secretRefusal(before, ctx.now());
  const secret = refused === undefined ? await addSecret(ctx, id) : undefined;
  if (secret) return { plainSecret: secret.plain, secret: secretMessage(secret) };
  if (refused === 'no-secrets')
    throw precondition('CLIENT_HAS_NO_SECRETS', 'this client does not authenticate by secret');
  // Somebody else was faster: with another secret, or with the end of the client.
  const now = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  throw refusal(now && now.deletedAt === undefined ? 'too-many' : 'unknown-client');
}

/** @throws {ApiError} not_found; failed_precondition: it is the last one */
export async function deleteSecret(ctx: Ctx, clientId: string, secretId: string): Promise<void> {
  const outcome = await deleteSecretUnlessLast(ctx, clientId, secretId);
  if (outcome === 'last') throw precondition('LAST_SECRET', 'last client cannot be deleted'); // the contract's words
  if (outcome !== 'done') throw refusal(outcome);
}

export function refusal(outcome: Exclude<SecretOutcome, 'done'>): ApiError {
  switch (outcome) {
    case 'unknown-client':
      return noSuchClient();
    case 'unknown-secret':
      return new ApiError('not_found', 'SECRET_NOT_FOUND', 'there is no such secret');
    case 'too-many':
      return precondition('TOO_MANY_SECRETS', 'the client has as many secrets as it may have');
    case 'last':
      return precondition(
        'LAST_SECRET',
        'the last active secret of a client that calls this API cannot be switched off',
      );
  }
}

function precondition(errorCode: string, message: string): ApiError {
  return new ApiError('failed_precondition', errorCode, message);
}
