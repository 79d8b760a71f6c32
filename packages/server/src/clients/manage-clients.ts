import { type Environment, environmentOf } from '../environments/environments.ts';
import { type EventOf, eventOf, record } from '../events/events.ts';
import { forgetRememberedConsents } from '../grants/consents.store.ts';
import { endGrantsOfClient } from '../grants/grants.ts';
import { type App, type Ctx, withDb } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { newId } from '../runtime/ids.ts';
import type { Db } from '../storage/db.ts';
import { type Client, clientDigest, usesSecret } from './client.ts';
import {
  type ClientInput,
  firstProblem,
  type InvalidMember,
  type NewClient,
  withDefaults,
} from './client-input.ts';
import { newClientSecret, type PlainSecret, secretWrite } from './client-secrets.ts';
import {
  type ClientRecord,
  type ClientWrite,
  deleteClientRow,
  findClientRecord,
  insertClient,
  insertSecret,
  lockClientRecord,
  updateClientRow,
} from './clients.store.ts';
import {
  endOtherConfiguredSecrets,
  findEnvironmentClient,
  lockEnvironment,
} from './environment-client.store.ts';

export type Created = {
  readonly kind: 'created';
  readonly client: Client;
  readonly secret: PlainSecret | undefined;
};
export type Updated = { readonly kind: 'updated'; readonly client: Client };

/**
 * Makes a client with a generated id and, when it authenticates by secret, its first secret, which is readable only here.
 *
 * @returns `invalid` names the member at fault: redirect URIs as AS-53, keys as AS-62
 */
export async function createClient(ctx: Ctx, input: NewClient): Promise<Created | InvalidMember> {
  const wanted = withDefaults(input);
  const invalid = firstProblem(ctx, wanted);
  if (invalid) return invalid;
  const environment = await environmentOf(ctx);
  const secret = usesSecret(wanted.tokenEndpointAuthMethod)
    ? newClientSecret(ctx, environment.kind)
    : undefined;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const id = newId(ctx, idPrefix(input));
    const client: ClientWrite = {
      ...wanted,
      environmentId: ctx.environmentId,
      id,
      kind: input.kind,
      registration: 'admin',
      mcpServerId: input.mcpServerId,
      organizationId: input.organizationId,
      revocationSecret: ctx.random(32),
      createdAt: ctx.now(),
    };
    const added = await ctx.db.transaction(async (tx) => {
      if (!(await insertClient(tx, client))) return false;
      if (secret)
        await insertSecret(tx, {
          ...secretWrite(secret),
          environmentId: ctx.environmentId,
          clientId: id,
          now: ctx.now(),
        });
      await record(
        tx,
        eventOf(ctx, {
          type: 'client.created',
          clientId: id,
          mcpServerId: input.mcpServerId,
          organizationId: input.organizationId,
          data: { name: wanted.name, kind: input.kind },
        }),
      );
      return true;
    });
    if (added) return { kind: 'created', client: (await existing(ctx, id)).client, secret };
  }
  throw new Error('no free client id');
}

/**
 * Changes what is given and leaves the rest. New redirect URIs, keys, name or authentication method end remembered consents
 * (AS-131); switching a client off ends its grants and tokens (AS-114). A function says what changes given what the client is,
 * and while it does nobody else changes the client; a change of nothing leaves no trace.
 *
 * @returns undefined when there is no such client
 */
export async function updateClient(
  ctx: Ctx,
  id: string,
  changes: Partial<ClientInput> | ((before: Client) => Partial<ClientInput>),
): Promise<Updated | InvalidMember | undefined> {
  const by = { environmentId: ctx.environmentId, id };
  const outcome = await ctx.db.transaction(async (tx) => {
    const found = await lockClientRecord(tx, by);
    const given = typeof changes === 'function' ? found && changes(found.client) : changes;
    return found && given && (await writeChanges(withDb(ctx, tx), found, given));
  });
  return outcome === 'written'
    ? { kind: 'updated', client: (await existing(ctx, id)).client }
    : outcome;
}

/** Part of a transaction that holds the client's row. */
async function writeChanges(
  ctx: Ctx,
  found: ClientRecord,
  changes: Partial<ClientInput>,
): Promise<'written' | InvalidMember> {
  const { db, environmentId } = ctx;
  const before = found.client;
  const { id } = before;
  const given = Object.fromEntries(
    Object.entries(changes).filter(([, value]) => value !== undefined),
  );
  const wanted = {
    ...withDefaults({ ...before, ...given, kind: before.kind }),
    assertionOptional: before.assertionOptional,
  };
  const invalid = firstProblem(ctx, wanted);
  if (invalid) return invalid;
  if (Object.keys(given).length === 0) return 'written';
  const sameClient = equalBytes(clientDigest(wanted), before.digest);
  await updateClientRow(db, {
    ...wanted,
    environmentId,
    id,
    registrationTokenHash: found.registrationTokenHash,
    keepShared: sameClient,
    now: ctx.now(),
  });
  if (!sameClient) await forgetRememberedConsents(db, { environmentId, clientId: id });
  if (before.enabled && !wanted.enabled)
    await endGrantsOfClient(ctx, { clientId: id, because: 'client-disabled' });
  await note(ctx, db, {
    type: 'client.updated',
    clientId: id,
    organizationId: before.organizationId,
    data: { members: Object.keys(given) },
  });
  return 'written';
}

/** Removes a client, its secrets, grants and tokens. A tombstone stays for a year (AS-67). False when there is none. */
export async function deleteClient(ctx: Ctx, id: string, because = 'admin'): Promise<boolean> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deleteClientRow(tx, { environmentId, id, because, now: ctx.now() });
    if (!deleted) return false;
    await endGrantsOfClient(withDb(ctx, tx), { clientId: id, because: 'client-deleted' });
    const event = { type: 'client.deleted', clientId: id, data: { because }, ...deleted };
    await note(ctx, tx, event);
    return true;
  });
}

function idPrefix(client: NewClient): string {
  if (client.kind === 'organization') return 'm2morg';
  return client.kind === 'mcp' ? 'm2m' : 'skc';
}

async function existing(ctx: Ctx, id: string): Promise<ClientRecord> {
  const found = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found) throw new Error(`client ${id} was not written`);
  return found;
}

async function note(ctx: Ctx, db: Db, event: EventOf): Promise<void> {
  await record(db, eventOf(ctx, event));
}

/** The client that manages an environment. The secret is there when it was just made, is configured, or is kept readable in development. */
export type EnvironmentClient = { readonly id: string; readonly secret: string | undefined };

/**
 * Makes sure that an environment has a client for its management API: the configured one, or one with generated credentials
 * Several processes that start at once end with one. In development the secret stays readable, encrypted, so that
 * each start can print it; in production it is returned only by the call that makes it.
 */
export async function ensureEnvironmentClient(
  app: App,
  environment: Environment,
): Promise<EnvironmentClient> {
  const configured = app.config.client;
  const made = newClientSecret(app, environment.kind);
  const client = { id: configured?.id ?? newId(app, 'skc'), revocationSecret: app.random(32) };
  const secret = { id: made.id, plain: configured?.secret ?? made.plain };
  const readable =
    environment.kind === 'DEVELOPMENT'
      ? app.secrets.seal(
          'secrets-at-rest',
          rowOf(environment, secret.id),
          Buffer.from(secret.plain),
        )
      : undefined;
  const plan = { app, environment, client, secret, readable };
  return await app.db.transaction(async (tx) => {
    await lockEnvironment(tx, environment.id);
    return configured ? await ensureConfigured(tx, plan) : await ensureGenerated(tx, plan);
  });
}

type Plan = {
  readonly app: App;
  readonly environment: Environment;
  readonly client: { readonly id: string; readonly revocationSecret: Uint8Array };
  readonly secret: { readonly id: string; readonly plain: string };
  readonly readable: Uint8Array | undefined;
};

async function ensureConfigured(db: Db, plan: Plan): Promise<EnvironmentClient> {
  const { environment, client, secret } = plan;
  const hash = sha256(secret.plain);
  const found = await findClientRecord(db, { environmentId: environment.id, id: client.id });
  if (found && (found.deletedAt || found.client.kind !== 'environment'))
    throw new Error(
      `GATEWARDEN_CLIENT_ID ${client.id} is taken by a client that was deleted or is of another kind.`,
    );
  if (!found) await addClient(db, plan);
  const known = found?.secrets.some(
    (candidate) => candidate.active && equalBytes(candidate.hash, hash),
  );
  if (!known) await addSecretOf(db, plan, true);
  await endOtherConfiguredSecrets(db, { environmentId: environment.id, clientId: client.id, hash });
  return { id: client.id, secret: secret.plain };
}

async function ensureGenerated(db: Db, plan: Plan): Promise<EnvironmentClient> {
  const { app, environment, client, secret } = plan;
  const found = await findEnvironmentClient(db, environment.id);
  if (!found) {
    await addClient(db, plan);
    await addSecretOf(db, plan, false);
    return { id: client.id, secret: secret.plain };
  }
  const { clientId, readable, secretId } = found;
  return {
    id: clientId,
    secret:
      readable &&
      Buffer.from(
        app.secrets.open('secrets-at-rest', rowOf(environment, secretId), readable),
      ).toString(),
  };
}

async function addClient(db: Db, { app, environment, client }: Plan): Promise<void> {
  const added = await insertClient(db, {
    ...client,
    environmentId: environment.id,
    kind: 'environment',
    registration: 'admin',
    mcpServerId: undefined,
    organizationId: undefined,
    name: 'Environment client',
    description: '',
    applicationType: undefined,
    redirectUris: [],
    grantTypes: ['client_credentials', 'authorization_code', 'refresh_token'],
    responseTypes: ['code'],
    tokenEndpointAuthMethod: 'client_secret_basic',
    assertionOptional: false,
    scopes: [],
    metadata: {},
    jwks: undefined,
    jwksUri: undefined,
    settings: {},
    managementApi: true,
    enabled: true,
    createdAt: app.now(),
  });
  if (!added) throw new Error(`the client id ${client.id} is taken`);
}

async function addSecretOf(
  db: Db,
  { app, environment, client, secret, readable }: Plan,
  fromConfiguration: boolean,
): Promise<void> {
  await insertSecret(db, {
    id: secret.id,
    hash: sha256(secret.plain),
    suffix: secret.plain.slice(-4),
    readable,
    fromConfiguration,
    environmentId: environment.id,
    clientId: client.id,
    now: app.now(),
  });
}

function rowOf(
  environment: Environment,
  secretId: string,
): { table: string; environmentId: string; id: string } {
  return { table: 'client_secrets', environmentId: environment.id, id: secretId };
}
