import { type Db, json, type Sql, sql } from '../storage/db.ts';
import type {
  ConfigurationType,
  Connection,
  ConnectionSettings,
  ConnectionStatus,
  ConnectionType,
} from './connection.ts';
import { served, VERIFIED } from './domains.store.ts';

type Row = {
  id: string;
  organization_id: string | null;
  type: ConnectionType;
  provider: string;
  provider_key: string;
  key_id: string | null;
  enabled: boolean;
  status: ConnectionStatus;
  debug_enabled: boolean;
  ui_button_title: string;
  configuration_type: ConfigurationType | null;
  attribute_mapping: Record<string, string>;
  settings: ConnectionSettings;
  has_client_secret: boolean;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`c.id, c.organization_id, c.type, c.provider, c.provider_key, c.key_id, c.enabled, c.status, c.debug_enabled, c.ui_button_title, c.configuration_type,
  c.attribute_mapping, c.settings, c.client_secret is not null as has_client_secret, c.created_at, c.updated_at`;

const fromRow = (row: Row): Connection => ({
  id: row.id,
  organizationId: row.organization_id ?? undefined,
  type: row.type,
  provider: row.provider,
  providerKey: row.provider_key,
  keyId: row.key_id ?? undefined,
  enabled: row.enabled,
  status: row.status,
  debugEnabled: row.debug_enabled,
  uiButtonTitle: row.ui_button_title,
  configurationType: row.configuration_type ?? undefined,
  attributeMapping: row.attribute_mapping,
  settings: row.settings,
  hasClientSecret: row.has_client_secret,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** A connection of one organization, or of the environment. */
export type ConnectionKey = {
  readonly environmentId: string;
  /** Absent: of the environment. */
  readonly organizationId: string | undefined;
  readonly id: string;
};

function isConnection(by: ConnectionKey): Sql {
  return sql`c.environment_id = ${by.environmentId} and c.id = ${by.id} and c.organization_id is not distinct from ${by.organizationId}::text`;
}

/** @throws unique violation on `connections_by_key_id` or the id; foreign key violation: no such organization */
export async function insertConnection(
  db: Db,
  by: { environmentId: string; connection: Connection },
): Promise<void> {
  const { environmentId, connection: c } = by;
  await db.rows(sql`
    insert into connections (environment_id, id, organization_id, type, provider, provider_key, key_id, status, settings, created_at, updated_at)
    values (${environmentId}, ${c.id}, ${c.organizationId}, ${c.type}, ${c.provider}, ${c.providerKey}, ${c.keyId}, ${c.status}, ${json(c.settings)}::jsonb, ${c.createdAt}, ${c.updatedAt})`);
}

export async function findConnection(db: Db, by: ConnectionKey): Promise<Connection | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from connections c where ${isConnection(by)}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Nobody else changes it until the transaction ends. */
export async function lockConnection(db: Db, by: ConnectionKey): Promise<Connection | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from connections c where ${isConnection(by)} for update`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** A connection of anybody in the environment, for sign-in by its id. */
export async function findConnectionById(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<Connection | undefined> {
  return (await listConnectionsByIds(db, { environmentId: by.environmentId, ids: [by.id] }))[0];
}

export async function listConnectionsByIds(
  db: Db,
  by: { environmentId: string; ids: readonly string[] },
): Promise<Connection[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from connections c where c.environment_id = ${by.environmentId} and c.id = any(${by.ids})`,
  );
  return rows.map(fromRow);
}

/**
 * Writes what may change of a locked connection.
 *
 * @param by.clientSecret sealed; undefined keeps the one of before, null takes it away
 * @throws unique violation on `connections_by_key_id`
 */
export async function updateConnection(
  db: Db,
  by: {
    environmentId: string;
    connection: Connection;
    clientSecret?: Uint8Array | null | undefined;
    now: Date;
  },
): Promise<void> {
  const { environmentId, connection: c, clientSecret, now } = by;
  const secret =
    clientSecret === undefined ? sql`client_secret` : sql`${clientSecret ?? undefined}::bytea`;
  await db.rows(sql`
    update connections set key_id = ${c.keyId}, enabled = ${c.enabled}, status = ${c.status}, debug_enabled = ${c.debugEnabled}, ui_button_title = ${c.uiButtonTitle},
      configuration_type = ${c.configurationType}, attribute_mapping = ${json(c.attributeMapping)}::jsonb, settings = ${json(c.settings)}::jsonb, client_secret = ${secret},
      updated_at = ${now}, row_version = row_version + 1
     where environment_id = ${environmentId} and id = ${c.id}`);
}

/**
 * Switches off the people of an application's own login page, with everything they hold: without its connection nobody vouches
 * for them any more.
 */
export async function disablePeopleOfConnection(
  db: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<void> {
  await db.rows(sql`
    update users u set enabled = false, updated_at = ${by.now}, row_version = u.row_version + 1 from partner_people p
     where p.environment_id = ${by.environmentId} and p.connection_id = ${by.id} and u.environment_id = p.environment_id and u.id = p.user_id and u.enabled`);
}

/** The row that was deleted. @throws foreign key violation: an MCP server signs people in by it */
export async function deleteConnection(db: Db, by: ConnectionKey): Promise<Connection | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from connections c where ${isConnection(by)} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The secret of a connection as it was sealed. */
export async function findClientSecret(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<Uint8Array | undefined> {
  const rows = await db.rows<{ client_secret: Uint8Array | null }>(
    sql`select client_secret from connections where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0]?.client_secret ?? undefined;
}

/**
 * Where people with addresses of a domain sign in: connections in use of the organization that owns it, those that were
 * assigned the domain first, then the oldest. The domain is compared exactly; one that waits for its proof leads nowhere.
 */
export async function listConnectionsForDomain(
  db: Db,
  by: { environmentId: string; domain: string },
): Promise<Connection[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from domains d join connections c on c.environment_id = d.environment_id and c.organization_id = d.organization_id
     where d.environment_id = ${by.environmentId} and d.domain = ${by.domain} and d.verification_status in ${VERIFIED} and ${served()} and c.enabled and c.status = 'COMPLETED'
     order by exists (select 1 from connection_domains cd where cd.environment_id = c.environment_id and cd.connection_id = c.id) desc, c.id limit 50`);
  return rows.map(fromRow);
}

/** Connections in use of an organization, the oldest first. */
export async function listConnectionsInUse(
  db: Db,
  by: { environmentId: string; organizationId: string },
): Promise<Connection[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from connections c
     where c.environment_id = ${by.environmentId} and c.organization_id = ${by.organizationId} and c.enabled and c.status = 'COMPLETED' order by c.id limit 50`);
  return rows.map(fromRow);
}
