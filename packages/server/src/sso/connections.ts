import { eventOf, record } from '../events/events.ts';
import { isInUse } from '../roles/permissions.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import type { Connection, ConnectionSettings } from './connection.ts';
import { changedSettings, checkAddresses, type GivenConfig } from './connection-settings.ts';
import { statusOf } from './connection-status.ts';
import {
  type ConnectionKey,
  deleteConnection as deleteRow,
  disablePeopleOfConnection,
  findClientSecret,
  insertConnection,
  lockConnection,
  updateConnection,
} from './connections.store.ts';

export type { Connection } from './connection.ts';

const ID_ATTEMPTS = 5;

export type ConnectionOutcome =
  | { readonly kind: 'written'; readonly connection: Connection }
  | { readonly kind: 'unknown' }
  /** Another connection has this `key_id`. */
  | { readonly kind: 'taken' }
  /** People sign in by it, so it has to stay complete. */
  | { readonly kind: 'in-use' };

export type NewConnection = Pick<
  Connection,
  'organizationId' | 'type' | 'provider' | 'providerKey' | 'keyId'
>;

/** Adds a connection that nobody can use yet. Without a name of the application's own, one of the environment gets one. */
export async function createConnection(ctx: Ctx, input: NewConnection): Promise<ConnectionOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    const connection = newConnection(ctx, input);
    try {
      await ctx.db.transaction(async (tx) => {
        const { environmentId } = ctx;
        await insertConnection(tx, { environmentId, connection });
        await tell(withDb(ctx, tx), 'created', connection);
      });
      return { kind: 'written', connection };
    } catch (error) {
      if (isInUse(error)) return { kind: 'unknown' };
      if (isUniqueViolation(error, 'connections_by_key_id') && input.keyId !== undefined)
        return { kind: 'taken' };
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

function newConnection(ctx: Ctx, input: NewConnection): Connection {
  const now = ctx.now();
  const suffix = Buffer.from(ctx.random(5)).toString('hex');
  const own = `${input.providerKey.toLowerCase()}-${suffix}`;
  const configured = {
    ...input,
    keyId: input.keyId ?? (input.organizationId === undefined ? own : undefined),
    configurationType: undefined,
    settings: {},
    hasClientSecret: false,
  };
  return {
    ...configured,
    id: newId(ctx, 'conn'),
    status: statusOf(configured),
    enabled: false,
    debugEnabled: false,
    uiButtonTitle: '',
    attributeMapping: {},
    createdAt: now,
    updatedAt: now,
  };
}

/** Members that are there change; all others stay. */
export type ConnectionChanges = {
  readonly keyId?: string | undefined;
  readonly debugEnabled?: boolean | undefined;
  readonly uiButtonTitle?: string | undefined;
  readonly configurationType?: Connection['configurationType'];
  readonly attributeMapping?: Connection['attributeMapping'] | undefined;
  readonly config?: GivenConfig | undefined;
};

/**
 * Changes a connection: `change` says how, given what it is. It may throw a refusal. The status follows from what there is
 * afterwards; one that people sign in by has to stay complete, and keeps its name at the identity provider.
 *
 * @throws {ApiError} invalid_argument: an address or a member of the settings
 */
export async function changeConnection(
  ctx: Ctx,
  key: Omit<ConnectionKey, 'environmentId'>,
  change: (current: Connection) => ConnectionChanges,
): Promise<ConnectionOutcome> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      const current = await lockConnection(tx, { environmentId, ...key });
      if (!current) return { kind: 'unknown' };
      const { connection, clientSecret, members } = applied(ctx, current, change(current));
      if (members.length === 0) return { kind: 'written', connection: current };
      const renamed = connection.settings.spEntityId !== current.settings.spEntityId;
      if (current.enabled && (connection.status !== 'COMPLETED' || renamed))
        return { kind: 'in-use' };
      await updateConnection(tx, {
        environmentId,
        connection,
        clientSecret: sealed(ctx, connection, clientSecret),
        now: connection.updatedAt,
      });
      await tell(withDb(ctx, tx), 'updated', connection, { members });
      return { kind: 'written', connection };
    });
  } catch (error) {
    if (isUniqueViolation(error, 'connections_by_key_id')) return { kind: 'taken' };
    throw error;
  }
}

function applied(ctx: Ctx, current: Connection, changes: ConnectionChanges) {
  const { config, ...others } = changes;
  const { settings, clientSecret: sent } = changedSettings(ctx, current, config);
  const clientSecret = sent ?? (goesElsewhere(current.settings, settings) ? '' : undefined);
  const given = Object.entries(others).filter(([, value]) => value !== undefined);
  const changed = {
    ...current,
    ...Object.fromEntries(given),
    settings,
    hasClientSecret: clientSecret === undefined ? current.hasClientSecret : clientSecret !== '',
    updatedAt: ctx.now(),
  };
  checkAddresses(ctx, changed);
  const members = given.map(([name]) => name);
  if (config) members.push(config.name);
  return { connection: { ...changed, status: statusOf(changed) }, clientSecret, members };
}

/**
 * Whether the secret would go to a host that it was not given for: whoever may change addresses could have it sent to themselves.
 * It is taken away then, and has to be given again.
 */
function goesElsewhere(before: ConnectionSettings, after: ConnectionSettings): boolean {
  const known = originsOf(before);
  return known.size > 0 && [...originsOf(after)].some((origin) => !known.has(origin));
}

/** Where a token endpoint is, or is found. */
function originsOf({ issuer, discoveryEndpoint, tokenUri }: ConnectionSettings): Set<string> {
  return new Set(
    [issuer, discoveryEndpoint, tokenUri].flatMap((url) =>
      url === undefined ? [] : (URL.parse(url)?.origin ?? url),
    ),
  );
}

function secretRow(ctx: Ctx, { id }: Pick<Connection, 'id'>) {
  return { table: 'connections', environmentId: ctx.environmentId, id };
}

function sealed(ctx: Ctx, connection: Connection, secret: string | undefined) {
  if (secret === undefined) return undefined;
  if (secret === '') return null;
  return ctx.secrets.seal('secrets-at-rest', secretRow(ctx, connection), Buffer.from(secret));
}

/** The secret that the identity provider knows us by, for requests to it alone. */
export async function clientSecretOf(
  ctx: Ctx,
  connection: Pick<Connection, 'id'>,
): Promise<string | undefined> {
  const { environmentId } = ctx;
  const found = await findClientSecret(ctx.db, { environmentId, id: connection.id });
  if (!found) return undefined;
  return Buffer.from(
    ctx.secrets.open('secrets-at-rest', secretRow(ctx, connection), found),
  ).toString();
}

export type DeletedConnection = 'deleted' | 'unknown' | 'in-use';

/** Deletes a connection; nobody signs in by it any more, and sessions stay, but those of people whom it alone knew. One that an MCP server has stays. */
export async function removeConnection(
  ctx: Ctx,
  key: Omit<ConnectionKey, 'environmentId'>,
): Promise<DeletedConnection> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      const current = await lockConnection(tx, { environmentId, ...key });
      if (!current) return 'unknown';
      await disablePeopleOfConnection(tx, { environmentId, id: current.id, now: ctx.now() });
      const deleted = await deleteRow(tx, { environmentId, ...key });
      if (!deleted) return 'unknown';
      await tell(withDb(ctx, tx), 'deleted', deleted);
      return 'deleted';
    });
  } catch (error) {
    if (isInUse(error)) return 'in-use';
    throw error;
  }
}

export type SwitchedConnection =
  | { readonly kind: 'switched' | 'as-it-was'; readonly connection: Connection }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'incomplete' };

/** Lets people sign in by a connection, or no longer; sessions stay. Doing it twice changes nothing. */
export async function switchConnection(
  ctx: Ctx,
  key: Omit<ConnectionKey, 'environmentId'>,
  enabled: boolean,
): Promise<SwitchedConnection> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const current = await lockConnection(tx, { environmentId, ...key });
    if (!current) return { kind: 'unknown' };
    if (current.enabled === enabled) return { kind: 'as-it-was', connection: current };
    if (enabled && current.status !== 'COMPLETED') return { kind: 'incomplete' };
    const connection = { ...current, enabled, updatedAt: ctx.now() };
    await updateConnection(tx, { environmentId, connection, now: connection.updatedAt });
    const { status } = connection;
    await tell(withDb(ctx, tx), enabled ? 'enabled' : 'disabled', connection, { enabled, status });
    return { kind: 'switched', connection };
  });
}

type Told = 'created' | 'updated' | 'deleted' | 'enabled' | 'disabled';

/** Those of organizations have names in the catalogue, except for changes; those of the environment have our own. */
async function tell(
  ctx: Ctx,
  what: Told,
  connection: Connection,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { id, organizationId, type, provider } = connection;
  const own = organizationId !== undefined && what !== 'updated';
  const data = { id, organization_id: organizationId, connection_type: type, provider, ...more };
  const event = {
    type: own ? `organization.sso_${what}` : `connection.${what}`,
    organizationId,
    connectionId: id,
    data,
  };
  await record(ctx.db, eventOf(ctx, event));
}
