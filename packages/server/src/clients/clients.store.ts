import { type Db, json, type Sql, sql } from '../storage/db.ts';
import {
  type Client,
  type ClientDisplay,
  type ClientJwks,
  type ClientSettings,
  clientDigest,
  type TokenEndpointAuthMethod,
} from './client.ts';

/** A secret as it can be compared: only its hash. */
export type ClientSecret = {
  readonly id: string;
  readonly hash: Uint8Array;
  readonly suffix: string;
  readonly active: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
};

/** A client with what its own slice needs besides: secrets, tombstone, state of its document. */
export type ClientRecord = {
  readonly client: Client;
  readonly secrets: readonly ClientSecret[];
  readonly deletedAt: Date | undefined;
  readonly registrationTokenHash: Uint8Array | undefined;
  readonly document:
    | { readonly fetchedAt: Date; readonly freshUntil: Date; readonly digest: Uint8Array }
    | undefined;
  readonly rowVersion: bigint;
};

/** What is written; the rest of a row has its own statements. */
export type ClientWrite = Omit<
  Client,
  'digest' | 'assertedAt' | 'completedAt' | 'shared' | 'updatedAt'
> & {
  readonly environmentId: string;
  readonly registrationDigest?: Uint8Array | undefined;
  readonly registrationTokenHash?: Uint8Array | undefined;
};

export type SecretWrite = {
  readonly id: string;
  readonly hash: Uint8Array;
  readonly suffix: string;
  readonly readable?: Uint8Array | undefined;
  readonly expiresAt?: Date | undefined;
  readonly fromConfiguration?: boolean | undefined;
};

type By = { readonly environmentId: string; readonly id: string };

type StoredDisplay = ClientDisplay & { readonly assertionOptional?: boolean };
type SecretRow = {
  id: string;
  hash: string;
  suffix: string;
  active: boolean;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
};
type Row = {
  id: string;
  kind: Client['kind'];
  registration: Client['registration'];
  mcp_server_id: string | null;
  organization_id: string | null;
  name: string;
  description: string;
  application_type: string | null;
  redirect_uris: string[];
  grant_types: string[];
  response_types: string[];
  token_endpoint_auth_method: TokenEndpointAuthMethod;
  scopes: string[];
  metadata: StoredDisplay;
  jwks: ClientJwks | null;
  jwks_uri: string | null;
  settings: ClientSettings;
  management_api: boolean;
  enabled: boolean;
  shared: boolean;
  registration_token_hash: Uint8Array | null;
  asserted_at: Date | null;
  revocation_secret: Uint8Array;
  created_at: Date;
  updated_at: Date;
  completed_at: Date | null;
  deleted_at: Date | null;
  row_version: bigint;
  secrets: SecretRow[];
  document_fetched_at: Date | null;
  document_fresh_until: Date | null;
  document_digest: Uint8Array | null;
};

const columns = sql`c.id, c.kind, c.registration, c.mcp_server_id, c.organization_id, c.name, c.description, c.application_type, c.redirect_uris, c.grant_types, c.response_types,
  c.token_endpoint_auth_method, c.scopes, c.metadata, c.jwks, c.jwks_uri, c.settings, c.management_api, c.enabled, c.registration_digest is not null as shared, c.registration_token_hash,
  c.asserted_at, c.revocation_secret, c.created_at, c.updated_at, c.completed_at, c.deleted_at, c.row_version,
  coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'hash', encode(s.secret_hash, 'hex'), 'suffix', s.suffix, 'active', s.active, 'created_at', s.created_at, 'expires_at', s.expires_at,
      'last_used_at', s.last_used_at) order by s.id)
    from client_secrets s where s.environment_id = c.environment_id and s.client_id = c.id), '[]'::jsonb) as secrets,
  d.fetched_at as document_fetched_at, d.fresh_until as document_fresh_until, d.digest as document_digest`;

const from = sql`clients c left join client_documents d on c.registration = 'metadata-document' and d.environment_id = c.environment_id and d.url = c.id`;

function fromRow(row: Row): ClientRecord {
  const { assertionOptional = false, ...metadata } = row.metadata;
  const members = {
    name: row.name,
    redirectUris: row.redirect_uris,
    tokenEndpointAuthMethod: row.token_endpoint_auth_method,
    assertionOptional,
    metadata,
    jwks: row.jwks ?? undefined,
    jwksUri: row.jwks_uri ?? undefined,
  };
  return {
    client: {
      ...members,
      id: row.id,
      kind: row.kind,
      registration: row.registration,
      mcpServerId: row.mcp_server_id ?? undefined,
      organizationId: row.organization_id ?? undefined,
      description: row.description,
      applicationType: row.application_type ?? undefined,
      grantTypes: row.grant_types,
      responseTypes: row.response_types,
      scopes: row.scopes,
      settings: row.settings,
      managementApi: row.management_api,
      enabled: row.enabled,
      assertedAt: row.asserted_at ?? undefined,
      shared: row.shared,
      createdAt: row.created_at,
      updatedAt: row.updated_at,
      completedAt: row.completed_at ?? undefined,
      digest: clientDigest(members),
      revocationSecret: row.revocation_secret,
    },
    secrets: row.secrets.map(secretFromRow),
    deletedAt: row.deleted_at ?? undefined,
    registrationTokenHash: row.registration_token_hash ?? undefined,
    document:
      row.document_fetched_at && row.document_fresh_until && row.document_digest
        ? {
            fetchedAt: row.document_fetched_at,
            freshUntil: row.document_fresh_until,
            digest: row.document_digest,
          }
        : undefined,
    rowVersion: row.row_version,
  };
}

function secretFromRow(row: SecretRow): ClientSecret {
  return {
    id: row.id,
    hash: new Uint8Array(Buffer.from(row.hash, 'hex')),
    suffix: row.suffix,
    active: row.active,
    createdAt: new Date(row.created_at),
    expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
    lastUsedAt: row.last_used_at === null ? undefined : new Date(row.last_used_at),
  };
}

async function records(db: Db, condition: Sql): Promise<ClientRecord[]> {
  const rows = await db.rows<Row>(sql`select ${columns} from ${from} where ${condition}`);
  return rows.map(fromRow);
}

/** A client by id, tombstones too. */
export async function findClientRecord(db: Db, by: By): Promise<ClientRecord | undefined> {
  return (await records(db, sql`c.environment_id = ${by.environmentId} and c.id = ${by.id}`))[0];
}

/** Clients by their ids, in no particular order; tombstones too. */
export async function findClientRecords(
  db: Db,
  by: { environmentId: string; ids: readonly string[] },
): Promise<ClientRecord[]> {
  return await records(
    db,
    sql`c.environment_id = ${by.environmentId} and c.id = any(${by.ids}::text[])`,
  );
}

/** A live client, locked until the transaction ends: what is written rests on what was read. */
export async function lockClientRecord(db: Db, by: By): Promise<ClientRecord | undefined> {
  const locked = await db.rows(
    sql`select id from clients where environment_id = ${by.environmentId} and id = ${by.id} and deleted_at is null for update`,
  );
  return locked.length === 1 ? await findClientRecord(db, by) : undefined;
}

/** The live registration that is equal in every stored member (AS-66). */
export async function findSharedClient(
  db: Db,
  by: { environmentId: string; mcpServerId: string; registrationDigest: Uint8Array },
): Promise<ClientRecord | undefined> {
  const found = await records(
    db,
    sql`c.environment_id = ${by.environmentId} and c.mcp_server_id = ${by.mcpServerId} and c.registration_digest = ${by.registrationDigest} and c.deleted_at is null`,
  );
  return found[0];
}

export type ClientFilter = {
  readonly environmentId: string;
  readonly kind?: Client['kind'] | undefined;
  readonly mcpServerId?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
};

/** Live clients in the order of their ids. */
export async function listClientRecords(db: Db, by: ClientFilter): Promise<ClientRecord[]> {
  return await records(
    db,
    sql`c.environment_id = ${by.environmentId} and c.deleted_at is null and c.id > ${by.after ?? ''}
      and (${by.kind}::text is null or c.kind = ${by.kind}) and (${by.mcpServerId}::text is null or c.mcp_server_id = ${by.mcpServerId})
      and (${by.organizationId}::text is null or c.organization_id = ${by.organizationId}) order by c.id limit ${by.limit}`,
  );
}

/** Adds a client; false when the id, or a shared registration equal to this one, exists already. */
export async function insertClient(db: Db, client: ClientWrite): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into clients (environment_id, id, kind, registration, mcp_server_id, organization_id, name, description, application_type, redirect_uris, grant_types, response_types,
      token_endpoint_auth_method, scopes, metadata, jwks, jwks_uri, settings, management_api, enabled, registration_digest, registration_token_hash, revocation_secret, created_at, updated_at)
    values (${client.environmentId}, ${client.id}, ${client.kind}, ${client.registration}, ${client.mcpServerId}, ${client.organizationId}, ${client.name}, ${client.description},
      ${client.applicationType}, ${client.redirectUris}, ${client.grantTypes}, ${client.responseTypes}, ${client.tokenEndpointAuthMethod}, ${client.scopes}, ${storedDisplay(client)}::jsonb,
      ${json(client.jwks)}::jsonb, ${client.jwksUri}, ${json(client.settings)}::jsonb, ${client.managementApi}, ${client.enabled}, ${client.registrationDigest}, ${client.registrationTokenHash},
      ${client.revocationSecret}, ${client.createdAt}, ${client.createdAt})
    on conflict do nothing returning id`);
  return rows.length === 1;
}

export type ClientUpdate = By &
  Omit<
    ClientWrite,
    | 'environmentId'
    | 'id'
    | 'kind'
    | 'registration'
    | 'mcpServerId'
    | 'organizationId'
    | 'revocationSecret'
    | 'createdAt'
    | 'registrationDigest'
  > & {
    /** What was registered is unchanged, so equal registrations still get this row. */
    readonly keepShared: boolean;
    readonly now: Date;
  };

/** Writes all members of a live client. False when there is none. */
export async function updateClientRow(db: Db, client: ClientUpdate): Promise<boolean> {
  const rows = await db.rows(sql`
    update clients set name = ${client.name}, description = ${client.description}, application_type = ${client.applicationType}, redirect_uris = ${client.redirectUris},
      grant_types = ${client.grantTypes}, response_types = ${client.responseTypes}, token_endpoint_auth_method = ${client.tokenEndpointAuthMethod}, scopes = ${client.scopes},
      metadata = ${storedDisplay(client)}::jsonb, jwks = ${json(client.jwks)}::jsonb, jwks_uri = ${client.jwksUri}, settings = ${json(client.settings)}::jsonb,
      management_api = ${client.managementApi}, enabled = ${client.enabled}, registration_token_hash = ${client.registrationTokenHash},
      registration_digest = case when ${client.keepShared}::boolean then registration_digest end, updated_at = ${client.now}, row_version = row_version + 1
     where environment_id = ${client.environmentId} and id = ${client.id} and deleted_at is null returning id`);
  return rows.length === 1;
}

/** Leaves a tombstone: the id stays taken, and errors can say "expired" (AS-67). Undefined when there is no such live client. */
export async function deleteClientRow(
  db: Db,
  by: By & { because: string; now: Date },
): Promise<{ readonly organizationId: string | undefined } | undefined> {
  const rows = await db.rows<{ organization_id: string | null }>(sql`
    with gone as (
      update clients set deleted_at = ${by.now}, deleted_because = ${by.because}, enabled = false, registration_token_hash = null, updated_at = ${by.now}, row_version = row_version + 1
       where environment_id = ${by.environmentId} and id = ${by.id} and deleted_at is null returning id, organization_id),
    secrets as (delete from client_secrets where environment_id = ${by.environmentId} and client_id in (select id from gone)),
    documents as (delete from client_documents where environment_id = ${by.environmentId} and url in (select id from gone))
    select organization_id from gone`);
  return rows[0] && { organizationId: rows[0].organization_id ?? undefined };
}

/** Adds a secret to a live client; false when there is none. Caches of the client hear of it. */
export async function insertSecret(
  db: Db,
  secret: SecretWrite & { environmentId: string; clientId: string; now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    with owner as (
      update clients set row_version = row_version + 1 where environment_id = ${secret.environmentId} and id = ${secret.clientId} and deleted_at is null returning id)
    insert into client_secrets (environment_id, id, client_id, secret_hash, suffix, readable, created_at, expires_at, from_configuration)
    select ${secret.environmentId}::text, ${secret.id}::text, id, ${secret.hash}::bytea, ${secret.suffix}::text, ${secret.readable}::bytea, ${secret.now}::timestamptz, ${secret.expiresAt}::timestamptz,
      ${secret.fromConfiguration ?? false}::boolean
      from owner returning id`);
  return rows.length === 1;
}

/** Switches a secret on or off. False when the client has no such secret. */
export async function setSecretActive(
  db: Db,
  by: { environmentId: string; clientId: string; id: string; active: boolean },
): Promise<boolean> {
  const rows = await db.rows(sql`
    with changed as (
      update client_secrets set active = ${by.active} where environment_id = ${by.environmentId} and client_id = ${by.clientId} and id = ${by.id} returning client_id)
    update clients set row_version = row_version + 1 where environment_id = ${by.environmentId} and id in (select client_id from changed) returning id`);
  return rows.length === 1;
}

/** Removes a secret at once. False when the client has no such secret. */
export async function deleteSecret(
  db: Db,
  by: { environmentId: string; clientId: string; id: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    with gone as (
      delete from client_secrets where environment_id = ${by.environmentId} and client_id = ${by.clientId} and id = ${by.id} returning client_id)
    update clients set row_version = row_version + 1 where environment_id = ${by.environmentId} and id in (select client_id from gone) returning id`);
  return rows.length === 1;
}

/** The first completed authorization: the client is no longer new here, and does not expire after a week (AS-67). */
export async function markCompleted(db: Db, by: By & { now: Date }): Promise<void> {
  await db.rows(sql`
    update clients set completed_at = ${by.now}, last_used_at = ${by.now}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} and completed_at is null`);
}

/** Notes that a client is in use, at most once an hour: idle clients expire (AS-67). */
export async function markUsed(db: Db, by: By & { now: Date }): Promise<void> {
  const anHourAgo = new Date(by.now.getTime() - 3_600_000);
  await db.rows(sql`
    update clients set last_used_at = ${by.now} where environment_id = ${by.environmentId} and id = ${by.id} and (last_used_at is null or last_used_at < ${anHourAgo})`);
}

/** From now on the client is not believed without an assertion (AS-76). */
export async function markAsserted(db: Db, by: By & { now: Date }): Promise<void> {
  await db.rows(sql`
    update clients set asserted_at = ${by.now}, row_version = row_version + 1 where environment_id = ${by.environmentId} and id = ${by.id} and asserted_at is null`);
}

/** An administrator lets the client start over (AS-76). */
export async function forgetAsserted(db: Db, by: By): Promise<void> {
  await db.rows(
    sql`update clients set asserted_at = null, row_version = row_version + 1 where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
}

export async function markSecretUsed(db: Db, by: By & { now: Date }): Promise<void> {
  await db.rows(
    sql`update client_secrets set last_used_at = ${by.now} where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
}

function storedDisplay(client: Pick<Client, 'metadata' | 'assertionOptional'>): unknown {
  const display: StoredDisplay = {
    ...client.metadata,
    ...(client.assertionOptional ? { assertionOptional: true } : {}),
  };
  return json(display);
}
