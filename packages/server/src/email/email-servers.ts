import { eventOf, record } from '../events/events.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { addressOfHost } from '../runtime/safe-fetch.ts';
import type { SecretRow } from '../runtime/secrets.ts';
import { type Db, isUniqueViolation } from '../storage/db.ts';
import {
  countLocked,
  deleteServer as deleteRow,
  type EmailServer,
  type EmailServerMembers,
  findServer,
  insertServer,
  switchServer,
  updateServer,
  writeDefaultFromName,
} from './email-servers.store.ts';
import type { OwnServer } from './smtp.ts';

/** An environment has so many mail servers, of which one delivers. */
export const MOST_SERVERS = 20;

const ID_ATTEMPTS = 5;

export type ServerOutcome =
  | { readonly kind: 'written'; readonly server: EmailServer }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'too-many' }
  /** The host is of the own network, or of this machine. */
  | { readonly kind: 'blocked-host' }
  /** Another host or user name needs the password anew: whoever may not read it must not be able to send it elsewhere. */
  | { readonly kind: 'password-needed' };

type Change = { readonly members: EmailServerMembers; readonly password: string | undefined };

/** Adds a mail server, which delivers nothing before it is enabled. */
export async function createServer(
  ctx: Ctx,
  by: { readonly members: EmailServerMembers; readonly password: string },
): Promise<ServerOutcome> {
  if (await isBlocked(ctx, by.members.host)) return { kind: 'blocked-host' };
  return await withFreshId(ctx, (id) => ctx.db.transaction((tx) => add(ctx, tx, id, by)));
}

/** Runs work with a new id, and again with another one if that was taken. */
async function withFreshId<T>(ctx: Ctx, work: (id: string) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(newId(ctx, 'esr'));
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

async function add(
  ctx: Ctx,
  tx: Db,
  id: string,
  { members, password }: { readonly members: EmailServerMembers; readonly password: string },
): Promise<ServerOutcome> {
  const { environmentId } = ctx;
  if ((await countLocked(tx, environmentId)) >= MOST_SERVERS) return { kind: 'too-many' };
  const sealed = seal(ctx, id, password);
  const now = ctx.now();
  const server = await insertServer(tx, { environmentId, id, members, password: sealed, now });
  await note(ctx, tx, 'created', server);
  return { kind: 'written', server };
}

/** Changes a mail server; without a password the old one stays, as long as it goes to the same place. */
export async function changeServer(ctx: Ctx, id: string, change: Change): Promise<ServerOutcome> {
  if (await isBlocked(ctx, change.members.host)) return { kind: 'blocked-host' };
  return await ctx.db.transaction(async (tx) => {
    await countLocked(tx, ctx.environmentId);
    return await changeLocked(ctx, tx, id, change);
  });
}

async function changeLocked(ctx: Ctx, tx: Db, id: string, change: Change): Promise<ServerOutcome> {
  const { environmentId } = ctx;
  const { members, password } = change;
  const current = await findServer(tx, { environmentId, id });
  if (!current) return { kind: 'unknown' };
  const elsewhere = members.host !== current.host || members.username !== current.username;
  if (password === undefined && elsewhere) return { kind: 'password-needed' };
  const server = await updateServer(tx, {
    environmentId,
    id,
    members,
    password: password === undefined ? undefined : seal(ctx, id, password),
    now: ctx.now(),
  });
  await note(ctx, tx, 'updated', server);
  return { kind: 'written', server };
}

/** Makes a server deliver in place of another one. The id of that one, or undefined when there was none. */
export async function enableServer(
  ctx: Ctx,
  id: string,
): Promise<
  { readonly kind: 'enabled'; readonly last: string | undefined } | { readonly kind: 'unknown' }
> {
  return await ctx.db.transaction(async (tx) => {
    await countLocked(tx, ctx.environmentId);
    return await enableLocked(ctx, tx, id);
  });
}

async function enableLocked(
  ctx: Ctx,
  tx: Db,
  id: string,
): Promise<
  { readonly kind: 'enabled'; readonly last: string | undefined } | { readonly kind: 'unknown' }
> {
  const { environmentId } = ctx;
  const server = await findServer(tx, { environmentId, id });
  if (!server) return { kind: 'unknown' };
  if (server.enabled) return { kind: 'enabled', last: id };
  const last = await switchServer(tx, { environmentId, id, now: ctx.now() });
  await note(ctx, tx, 'enabled', server);
  return { kind: 'enabled', last };
}

/** Goes back to the server of the configuration. False when there is no such server. */
export async function disableServer(ctx: Ctx, id: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    await countLocked(tx, ctx.environmentId);
    return await disableLocked(ctx, tx, id);
  });
}

async function disableLocked(ctx: Ctx, tx: Db, id: string): Promise<boolean> {
  const { environmentId } = ctx;
  const server = await findServer(tx, { environmentId, id });
  if (!server) return false;
  if (!server.enabled) return true;
  await switchServer(tx, { environmentId, id: undefined, now: ctx.now() });
  await note(ctx, tx, 'disabled', server);
  return true;
}

/** Deletes a mail server, with its password. False when there is none. */
export async function deleteServer(ctx: Ctx, id: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deleteRow(tx, { environmentId: ctx.environmentId, id });
    if (!deleted) return false;
    await note(ctx, tx, 'deleted', deleted);
    return true;
  });
}

/** Changes a server, or adds one without an id, and switches it on or off, all in one. */
export async function putServer(
  ctx: Ctx,
  by: Change & { readonly id: string | undefined; readonly enabled: boolean },
): Promise<ServerOutcome> {
  if (await isBlocked(ctx, by.members.host)) return { kind: 'blocked-host' };
  const { password } = by;
  if (by.id === undefined && password === undefined) return { kind: 'password-needed' };
  return await withFreshId(ctx, (fresh) => ctx.db.transaction((tx) => put(ctx, tx, fresh, by)));
}

async function put(
  ctx: Ctx,
  tx: Db,
  fresh: string,
  by: Change & { readonly id: string | undefined; readonly enabled: boolean },
): Promise<ServerOutcome> {
  await countLocked(tx, ctx.environmentId);
  const { members, password = '' } = by;
  const outcome =
    by.id === undefined
      ? await add(ctx, tx, fresh, { members, password })
      : await changeLocked(ctx, tx, by.id, by);
  if (outcome.kind !== 'written') return outcome;
  const { id } = outcome.server;
  if (by.enabled) await enableLocked(ctx, tx, id);
  else await disableLocked(ctx, tx, id);
  return { kind: 'written', server: { ...outcome.server, enabled: by.enabled } };
}

/** Says who mails are from that the server of the configuration delivers. */
export async function nameSender(ctx: Ctx, name: string): Promise<void> {
  const { environmentId } = ctx;
  await ctx.db.transaction(async (tx) => {
    const changed = await writeDefaultFromName(tx, { environmentId, name, now: ctx.now() });
    const data = { default_from_name: name };
    if (changed) await record(tx, eventOf(ctx, { type: 'email_settings.updated', data }));
  });
}

/**
 * A server with its password, for a delivery.
 *
 * @throws {SecretUnreadable} written with an operator key that is no longer configured
 */
export function openServer(app: Pick<App, 'secrets'>, server: EmailServer): OwnServer {
  const { environmentId, id, password: sealed } = server;
  const password = app.secrets.open('secrets-at-rest', rowOf(environmentId, id), sealed);
  return { ...server, password: Buffer.from(password).toString() };
}

/** Names without an address today are let through: whoever delivers asks again, each time. */
async function isBlocked(ctx: Ctx, host: string): Promise<boolean> {
  const found = await addressOfHost(host, { allowLoopback: ctx.config.allowLoopbackClients });
  return 'refused' in found && found.refused === 'blocked-address';
}

function seal(ctx: Ctx, id: string, password: string): Uint8Array {
  return ctx.secrets.seal('secrets-at-rest', rowOf(ctx.environmentId, id), Buffer.from(password));
}

function rowOf(environmentId: string, id: string): SecretRow {
  return { table: 'email_servers', environmentId, id };
}

async function note(ctx: Ctx, tx: Db, verb: string, server: EmailServer): Promise<void> {
  const { id, provider, host, port } = server;
  const data = { id, provider, host, port };
  await record(tx, eventOf(ctx, { type: `email_server.${verb}`, data }));
}
