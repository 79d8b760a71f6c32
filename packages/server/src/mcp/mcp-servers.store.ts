import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';
import { DEFAULT_MCP_SERVER_SETTINGS, type McpServerSettings } from './mcp-server-settings.ts';

export type ScopeClass = 'see' | 'change' | 'delete_or_spend';
export type McpServerScope = {
  /** Of the permission that the scope is. */
  readonly permissionId: string;
  readonly name: string;
  readonly class: ScopeClass;
  readonly isDefault: boolean;
  readonly title: string;
  /** For people: the scope's own words, else the permission's. */
  readonly description: string;
  readonly ownDescription: string;
};
/** A scope as it is written; `description` is its own. */
export type McpServerScopeWrite = Omit<McpServerScope, 'permissionId' | 'ownDescription'>;

/** An MCP server as protected resource. Disabled and deleted ones are found too: who issues asks `isServing`. */
export type McpServer = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly logoUri: string | undefined;
  /** S, byte for byte as registered. */
  readonly serverUrl: string | undefined;
  readonly serverUrlKey: string | undefined;
  readonly enabled: boolean;
  readonly deletedAt: Date | undefined;
  readonly accessTokenLifetime: number;
  readonly refreshIdleLifetime: number;
  readonly refreshAbsoluteLifetime: number;
  readonly registrationEnabled: boolean;
  readonly metadataDocumentsEnabled: boolean;
  readonly settings: McpServerSettings;
  readonly scopes: readonly McpServerScope[];
  readonly refusedResource: string | undefined;
  /** People sign in by this one; absent: here. */
  readonly connectionId: string | undefined;
  readonly revokedBefore: Date | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly rowVersion: bigint;
};

type Row = {
  id: string;
  name: string;
  description: string;
  logo_uri: string | null;
  server_url: string | null;
  server_url_key: string | null;
  enabled: boolean;
  deleted_at: Date | null;
  access_token_lifetime: number;
  refresh_idle_lifetime: number;
  refresh_absolute_lifetime: number;
  registration_enabled: boolean;
  metadata_documents_enabled: boolean;
  settings: Partial<McpServerSettings>;
  refused_resource: string | null;
  connection_id: string | null;
  revoked_before: Date | null;
  created_at: Date;
  updated_at: Date;
  row_version: bigint;
  scopes: {
    permission_id: string;
    name: string;
    class: ScopeClass;
    is_default: boolean;
    title: string;
    description: string;
    own_description: string;
  }[];
};

const columns = sql`s.id, s.name, s.description, s.logo_uri, s.server_url, s.server_url_key, s.enabled, s.deleted_at, s.access_token_lifetime, s.refresh_idle_lifetime,
  s.refresh_absolute_lifetime, s.registration_enabled, s.metadata_documents_enabled, s.settings, s.refused_resource, s.connection_id, s.revoked_before, s.created_at, s.updated_at, s.row_version,
  coalesce((select jsonb_agg(jsonb_build_object('permission_id', p.id, 'name', c.name, 'class', c.class, 'is_default', c.is_default, 'title', c.title,
      'description', case c.description when '' then p.description else c.description end, 'own_description', c.description) order by c.position, c.name)
    from mcp_server_scopes c join permissions p on p.environment_id = c.environment_id and p.name = c.name where c.environment_id = s.environment_id and c.mcp_server_id = s.id), '[]'::jsonb) as scopes`;

function fromRow(row: Row): McpServer {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    logoUri: row.logo_uri ?? undefined,
    serverUrl: row.server_url ?? undefined,
    serverUrlKey: row.server_url_key ?? undefined,
    enabled: row.enabled,
    deletedAt: row.deleted_at ?? undefined,
    accessTokenLifetime: row.access_token_lifetime,
    refreshIdleLifetime: row.refresh_idle_lifetime,
    refreshAbsoluteLifetime: row.refresh_absolute_lifetime,
    registrationEnabled: row.registration_enabled,
    metadataDocumentsEnabled: row.metadata_documents_enabled,
    settings: { ...DEFAULT_MCP_SERVER_SETTINGS, ...row.settings },
    scopes: row.scopes.map((scope) => ({
      permissionId: scope.permission_id,
      name: scope.name,
      class: scope.class,
      isDefault: scope.is_default,
      title: scope.title,
      description: scope.description,
      ownDescription: scope.own_description,
    })),
    refusedResource: row.refused_resource ?? undefined,
    connectionId: row.connection_id ?? undefined,
    revokedBefore: row.revoked_before ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    rowVersion: row.row_version,
  };
}

async function servers(db: Db, condition: Sql): Promise<McpServer[]> {
  const rows = await db.rows<Row>(sql`select ${columns} from mcp_servers s where ${condition}`);
  return rows.map(fromRow);
}

export async function findMcpServerRow(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<McpServer | undefined> {
  return (await servers(db, sql`s.environment_id = ${by.environmentId} and s.id = ${by.id}`))[0];
}

export async function listMcpServers(
  db: Db,
  by: { environmentId: string; after?: string; limit: number },
): Promise<McpServer[]> {
  return await servers(
    db,
    sql`s.environment_id = ${by.environmentId} and s.deleted_at is null and s.id > ${by.after ?? ''} order by s.id limit ${by.limit}`,
  );
}

/** Live servers, newest first. */
export async function listMcpServerPage(
  db: Db,
  by: { environmentId: string; page: PageQuery },
): Promise<McpServer[]> {
  return await servers(
    db,
    sql`s.environment_id = ${by.environmentId} and s.deleted_at is null ${inPage(sql`s.id`, by.page)}`,
  );
}

export async function countMcpServers(db: Db, environmentId: string): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from mcp_servers where environment_id = ${environmentId} and deleted_at is null`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** A live server, which nobody else changes until the transaction ends. */
export async function lockMcpServer(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<McpServer | undefined> {
  const rows = await db.rows(
    sql`select id from mcp_servers where environment_id = ${by.environmentId} and id = ${by.id} and deleted_at is null for update`,
  );
  return rows.length === 1 ? await findMcpServerRow(db, by) : undefined;
}

/** Whether a client goes by this id: audiences and client ids share one name space (AS-148). */
export async function isClientId(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<boolean> {
  const rows = await db.rows(
    sql`select id from clients where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows.length > 0;
}

/** Audiences of live machine clients of organizations that are one of these texts, in whatever case. */
export async function clientAudiencesLike(
  db: Db,
  by: { environmentId: string; texts: readonly string[] },
): Promise<string[]> {
  const rows = await db.rows<{ value: string }>(sql`
    select distinct given.value from clients, jsonb_array_elements_text(settings -> 'audience') as given (value)
     where environment_id = ${by.environmentId} and kind = 'organization' and deleted_at is null and settings ? 'audience'
       and lower(settings ->> 'audience')::jsonb ?| ${by.texts}::text[] and lower(given.value) = any(${by.texts}::text[]) limit 100`);
  return rows.map(({ value }) => value);
}

/** The server registered under exactly this key, and those whose Server URL lies above it: one statement, longest first. */
export async function mcpServersCovering(
  db: Db,
  by: { environmentId: string; keys: readonly string[] },
): Promise<McpServer[]> {
  return await servers(
    db,
    sql`s.environment_id = ${by.environmentId} and s.deleted_at is null and s.server_url_key = any(${by.keys}) order by length(s.server_url_key) desc`,
  );
}

export type McpServerWrite = {
  readonly environmentId: string;
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly logoUri?: string | undefined;
  readonly serverUrl?: string | undefined;
  readonly serverUrlKey?: string | undefined;
  readonly enabled: boolean;
  readonly accessTokenLifetime: number;
  readonly refreshIdleLifetime: number;
  readonly refreshAbsoluteLifetime: number;
  readonly registrationEnabled: boolean;
  readonly metadataDocumentsEnabled: boolean;
  readonly settings: Partial<McpServerSettings>;
  readonly now: Date;
};

/** @throws unique violation on `mcp_servers_by_url`: another server of the environment has this Server URL */
export async function insertMcpServer(db: Db, server: McpServerWrite): Promise<void> {
  await db.rows(sql`
    insert into mcp_servers (environment_id, id, name, description, logo_uri, server_url, server_url_key, enabled, access_token_lifetime, refresh_idle_lifetime,
      refresh_absolute_lifetime, registration_enabled, metadata_documents_enabled, settings, created_at, updated_at)
    values (${server.environmentId}, ${server.id}, ${server.name}, ${server.description}, ${server.logoUri}, ${server.serverUrl}, ${server.serverUrlKey}, ${server.enabled},
      ${server.accessTokenLifetime}, ${server.refreshIdleLifetime}, ${server.refreshAbsoluteLifetime}, ${server.registrationEnabled}, ${server.metadataDocumentsEnabled},
      ${json(server.settings)}::jsonb, ${server.now}, ${server.now})`);
}

/** Writes all members of a live server; false when there is none. @throws unique violation as `insertMcpServer` */
export async function updateMcpServer(db: Db, server: McpServerWrite): Promise<boolean> {
  const rows = await db.rows(sql`
    update mcp_servers set name = ${server.name}, description = ${server.description}, logo_uri = ${server.logoUri}, server_url = ${server.serverUrl}, server_url_key = ${server.serverUrlKey},
      refused_resource = case when ${server.serverUrl}::text is null then refused_resource end, enabled = ${server.enabled}, access_token_lifetime = ${server.accessTokenLifetime},
      refresh_idle_lifetime = ${server.refreshIdleLifetime}, refresh_absolute_lifetime = ${server.refreshAbsoluteLifetime}, registration_enabled = ${server.registrationEnabled},
      metadata_documents_enabled = ${server.metadataDocumentsEnabled}, settings = ${json(server.settings)}::jsonb, updated_at = ${server.now}, row_version = row_version + 1
     where environment_id = ${server.environmentId} and id = ${server.id} and deleted_at is null returning id`);
  return rows.length === 1;
}

/** Replaces the scopes of a server; call it in the transaction that writes the server's row, so that caches hear of it. */
export async function replaceMcpServerScopes(
  db: Db,
  by: { environmentId: string; mcpServerId: string; scopes: readonly McpServerScopeWrite[] },
): Promise<void> {
  await db.rows(
    sql`delete from mcp_server_scopes where environment_id = ${by.environmentId} and mcp_server_id = ${by.mcpServerId}`,
  );
  await db.rows(sql`
    insert into mcp_server_scopes (environment_id, mcp_server_id, name, position, class, is_default, title, description)
    select ${by.environmentId}, ${by.mcpServerId}, scope ->> 'name', position, scope ->> 'class', (scope ->> 'isDefault')::boolean, scope ->> 'title', scope ->> 'description'
      from jsonb_array_elements(${json(by.scopes)}::jsonb) with ordinality as given (scope, position)`);
}

/** Ends a server for good; its id stays taken (AS-13), its permissions are free. False when there was none. */
export async function deleteMcpServer(
  db: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    with scopes as (delete from mcp_server_scopes where environment_id = ${by.environmentId} and mcp_server_id = ${by.id})
    update mcp_servers set deleted_at = ${by.now}, enabled = false, connection_id = null, updated_at = ${by.now}, revoked_before = ${by.now}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} and deleted_at is null returning id`);
  return rows.length === 1;
}

/** Says by which connection people sign in to a live server from now on. */
export async function setMcpServerConnection(
  db: Db,
  by: { environmentId: string; id: string; connectionId: string | undefined; now: Date },
): Promise<void> {
  await db.rows(sql`
    update mcp_servers set connection_id = ${by.connectionId}, updated_at = ${by.now}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} and deleted_at is null`);
}

/**
 * Remembers the first `resource` value that was refused because no Server URL is registered (AS-38). Anybody may send one: later
 * ones neither replace what the operator is looking at, nor make caches read the row again.
 */
export async function noteRefusedResource(
  db: Db,
  by: { environmentId: string; id: string; resource: string },
): Promise<void> {
  await db.rows(sql`
    update mcp_servers set refused_resource = ${by.resource}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} and server_url is null and refused_resource is null`);
}
