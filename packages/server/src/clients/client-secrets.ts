import { type Environment, environmentOf } from '../environments/environments.ts';
import { type EventOf, eventOf, record } from '../events/events.ts';
import { type App, type Ctx, withDb } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { type Client, usesSecret } from './client.ts';
import {
  type ClientRecord,
  type ClientSecret,
  deleteSecret,
  insertSecret,
  lockClientRecord,
  type SecretWrite,
  setSecretActive,
} from './clients.store.ts';

/** A client may have so many secrets at once, those that are switched off or over included. */
const MOST_SECRETS = 10;
/** And so many that work (FSA-4). */
const MOST_LIVE_SECRETS = 2;

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

/** Whether a client may have one more secret, and if not why. */
export function secretRefusal(
  { client, secrets }: Pick<ClientRecord, 'client' | 'secrets'>,
  now: Date,
): 'no-secrets' | 'too-many' | undefined {
  if (!usesSecret(client.tokenEndpointAuthMethod)) return 'no-secrets';
  if (secrets.length >= MOST_SECRETS) return 'too-many';
  return secrets.filter((secret) => isLive(secret, now)).length >= mostLive(client)
    ? 'too-many'
    : undefined;
}

/** Two are enough to change one for another without an outage; clients of MCP servers may be many installations of one program. */
function mostLive({ kind }: Client): number {
  return kind === 'mcp' ? MOST_SECRETS : MOST_LIVE_SECRETS;
}

function isLive({ active, expiresAt }: ClientSecret, now: Date): boolean {
  return active && (expiresAt === undefined || expiresAt > now);
}

/** A further secret, readable only here; undefined when the client does not exist or may not have one, see `secretRefusal`. */
export async function addSecret(
  ctx: Ctx,
  clientId: string,
  options: { expiresAt?: Date | undefined } = {},
): Promise<PlainSecret | undefined> {
  const { environmentId } = ctx;
  const secret = newClientSecret(ctx, (await environmentOf(ctx)).kind, options.expiresAt);
  const now = ctx.now();
  const added = await ctx.db.transaction(async (tx) => {
    const found = await lockClientRecord(tx, { environmentId, id: clientId });
    if (!found || secretRefusal(found, now)) return false;
    await insertSecret(tx, { ...secretWrite(secret), environmentId, clientId, now });
    const data = { secretId: secret.id };
    await record(tx, eventOf(ctx, told(found.client, 'client.secret_added', data)));
    return true;
  });
  return added ? secret : undefined;
}

export type SecretOutcome = 'done' | 'unknown-client' | 'unknown-secret' | 'last' | 'too-many';

/**
 * Deletes a secret, but not the last one: for a client of the management API the last that works. Of two calls for the last two
 * one must see what the other did, so they take turns.
 */
export async function deleteSecretUnlessLast(
  ctx: Ctx,
  clientId: string,
  secretId: string,
): Promise<SecretOutcome> {
  return await withSecret(ctx, clientId, secretId, async (inside, found) => {
    const isCounted = found.client.managementApi ? isOn : () => true;
    if (isOnly(found, secretId, isCounted)) return 'last';
    await removeSecret(inside, clientId, secretId);
    return 'done';
  });
}

/** Switches a secret on or off, but not the last one of a client of the management API: nobody locks themselves out. */
export async function switchSecret(
  ctx: Ctx,
  clientId: string,
  secretId: string,
  active: boolean,
): Promise<SecretOutcome> {
  return await withSecret(ctx, clientId, secretId, async (inside, found) => {
    if (!active && found.client.managementApi && isOnly(found, secretId, isOn)) return 'last';
    const others = found.secrets.filter(({ id }) => id !== secretId);
    if (active && others.filter(isOn).length >= mostLive(found.client)) return 'too-many';
    await setSecretStatus(inside, clientId, secretId, active);
    return 'done';
  });
}

async function withSecret(
  ctx: Ctx,
  clientId: string,
  secretId: string,
  work: (inside: Ctx, found: ClientRecord) => Promise<SecretOutcome>,
): Promise<SecretOutcome> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const found = await lockClientRecord(tx, { environmentId, id: clientId });
    if (!found) return 'unknown-client';
    if (!found.secrets.some(({ id }) => id === secretId)) return 'unknown-secret';
    return await work(withDb(ctx, tx), found);
  });
}

function isOn({ active }: ClientSecret): boolean {
  return active;
}

function isOnly(
  { secrets }: ClientRecord,
  secretId: string,
  counts: (secret: ClientSecret) => boolean,
): boolean {
  const counted = secrets.filter(counts);
  return counted.length === 1 && counted[0]?.id === secretId;
}

function told(
  { id, organizationId }: Client,
  type: string,
  data: Readonly<Record<string, unknown>>,
): EventOf {
  return { type, clientId: id, organizationId, data };
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
