import { type Environment, environmentOf } from '../environments/environments.ts';
import { eventOf, record } from '../events/events.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { usesSecret } from './client.ts';
import {
  deleteSecret,
  findClientRecord,
  insertSecret,
  type SecretWrite,
  setSecretActive,
} from './clients.store.ts';

/** A client may have so many secrets at once. */
export const MOST_SECRETS = 10;

/** A secret at the one moment it can be read. */
export type PlainSecret = {
  readonly id: string;
  readonly plain: string;
  readonly suffix: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
};

/** 256 random bits; the prefix says which kind of environment it opens, so that a leaked one is recognised. */
export function newClientSecret(
  app: Pick<App, 'now' | 'random'>,
  kind: Environment['kind'],
  expiresAt?: Date,
): PlainSecret {
  const plain = `${kind === 'DEVELOPMENT' ? 'test' : 'gws'}_${newSecret(app)}`;
  return { id: newId(app, 'sec'), plain, suffix: plain.slice(-4), createdAt: app.now(), expiresAt };
}

/** The same as it is stored. */
export function secretWrite(secret: PlainSecret): SecretWrite {
  return {
    id: secret.id,
    hash: sha256(secret.plain),
    suffix: secret.suffix,
    expiresAt: secret.expiresAt,
  };
}

/** A further secret, readable only here; undefined when the client does not exist, has no secrets, or has ten already. */
export async function addSecret(
  ctx: Ctx,
  clientId: string,
  options: { expiresAt?: Date | undefined } = {},
): Promise<PlainSecret | undefined> {
  const found = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id: clientId });
  if (
    !found ||
    found.deletedAt ||
    !usesSecret(found.client.tokenEndpointAuthMethod) ||
    found.secrets.length >= MOST_SECRETS
  )
    return undefined;
  const secret = newClientSecret(ctx, (await environmentOf(ctx)).kind, options.expiresAt);
  const added = await ctx.db.transaction(async (tx) => {
    if (
      !(await insertSecret(tx, {
        ...secretWrite(secret),
        environmentId: ctx.environmentId,
        clientId,
        now: ctx.now(),
      }))
    )
      return false;
    await record(
      tx,
      eventOf(ctx, { type: 'client.secret_added', clientId, data: { secretId: secret.id } }),
    );
    return true;
  });
  return added ? secret : undefined;
}

/** Takes a secret away at once. False when the client has no such secret. */
export async function removeSecret(ctx: Ctx, clientId: string, secretId: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    if (!(await deleteSecret(tx, { environmentId: ctx.environmentId, clientId, id: secretId })))
      return false;
    await record(tx, eventOf(ctx, { type: 'client.secret_removed', clientId, data: { secretId } }));
    return true;
  });
}

/** Switches a secret off or on again. False when the client has no such secret. */
export async function setSecretStatus(
  ctx: Ctx,
  clientId: string,
  secretId: string,
  active: boolean,
): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    if (
      !(await setSecretActive(tx, {
        environmentId: ctx.environmentId,
        clientId,
        id: secretId,
        active,
      }))
    )
      return false;
    await record(
      tx,
      eventOf(ctx, { type: 'client.secret_changed', clientId, data: { secretId, active } }),
    );
    return true;
  });
}
