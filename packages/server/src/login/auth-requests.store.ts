import { rowCount } from '../environments/row-counts.store.ts';
import { type Event, eventSql } from '../events/events.ts';
import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** How an authorization request stands: nobody typed anything yet, somebody is signing in, a code was issued, or neither will happen. */
export type AuthRequestState = 'INITIATED' | 'PENDING' | 'SUCCESS' | 'FAILED';

/** What an authorization request is for: access to an MCP server, or signing in to an application. */
export type Workflow = 'MCP' | 'LOGIN';

export type NewAuthRequest = {
  environmentId: string;
  id: string;
  flowId: string | undefined;
  clientId: string | undefined;
  mcpServerId: string | undefined;
  /** Through which the person will sign in, where that is certain from the start. */
  connectionId?: string | undefined;
  now: Date;
};

/** The line of a new request as an `insert … returning id`, a part of the statement that freezes the request. */
export function authRequestSql(row: NewAuthRequest): Sql {
  return insertSql(row, 'INITIATED', undefined);
}

function insertSql(row: NewAuthRequest, state: AuthRequestState, reason: string | undefined): Sql {
  const workflow: Workflow = row.mcpServerId === undefined ? 'LOGIN' : 'MCP';
  return sql`insert into auth_requests (environment_id, id, state, reason, workflow, flow_id, client_id, mcp_server_id, connection_id, created_at, updated_at)
    values (${row.environmentId}, ${row.id}, ${state}, ${reason}, ${workflow}, ${row.flowId}, ${row.clientId}, ${row.mcpServerId}, ${row.connectionId}, ${row.now}, ${row.now})
    on conflict do nothing returning id`;
}

/** A request that was refused at once, with the event that says so. */
export async function insertRefusedRequest(
  db: Db,
  row: NewAuthRequest & { reason: string; event: Event },
): Promise<void> {
  await db.rows(
    sql`with event as (${eventSql(row.event)}) ${insertSql(row, 'FAILED', row.reason)}`,
  );
}

/** Says that a request has failed, with the event that says so. What has succeeded stays. */
export async function failAuthRequest(
  db: Db,
  by: {
    environmentId: string;
    id: string | undefined;
    reason: string;
    userId?: string | undefined;
    now: Date;
    event: Event;
  },
): Promise<void> {
  await db.rows(sql`
    with event as (${eventSql(by.event)})
    update auth_requests set state = 'FAILED', reason = ${by.reason}, user_id = coalesce(${by.userId}, user_id), updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} and state <> 'SUCCESS'`);
}

/** One line of the log, with what its parts are called now. */
export type AuthRequest = {
  readonly id: string;
  readonly state: AuthRequestState;
  readonly workflow: string;
  readonly email: string | undefined;
  readonly organizationId: string | undefined;
  readonly connection:
    | {
        readonly id: string;
        readonly organizationId: string | undefined;
        readonly type: string | undefined;
        readonly provider: string | undefined;
      }
    | undefined;
  readonly server: { readonly id: string; readonly name: string } | undefined;
  readonly client: LoggedClient | undefined;
  readonly createdAt: Date;
};

export type LoggedClient = {
  /** As the management API names it. */
  readonly id: string;
  readonly name: string;
  /** Absent when it was deleted long ago. */
  readonly kind: string | undefined;
  readonly isPublic: boolean;
  readonly redirectUris: readonly string[];
};

type Row = {
  id: string;
  state: AuthRequestState;
  workflow: string;
  email: string | null;
  organization_id: string | null;
  connection_id: string | null;
  connection_organization_id: string | null;
  connection_type: string | null;
  connection_provider: string | null;
  mcp_server_id: string | null;
  mcp_server_name: string | null;
  client_id: string | null;
  client_name: string | null;
  client_kind: string | null;
  client_public: boolean | null;
  redirect_uris: string[] | null;
  created_at: Date;
};

function fromRow(row: Row): AuthRequest {
  return {
    id: row.id,
    state: row.state,
    workflow: row.workflow,
    email: row.email ?? undefined,
    organizationId: row.organization_id ?? undefined,
    connection:
      row.connection_id === null
        ? undefined
        : {
            id: row.connection_id,
            organizationId: row.connection_organization_id ?? undefined,
            type: row.connection_type ?? undefined,
            provider: row.connection_provider ?? undefined,
          },
    server:
      row.mcp_server_id === null
        ? undefined
        : { id: row.mcp_server_id, name: row.mcp_server_name ?? '' },
    client:
      row.client_id === null
        ? undefined
        : {
            id: row.client_id,
            name: row.client_name ?? '',
            kind: row.client_kind ?? undefined,
            isPublic: row.client_public === true,
            redirectUris: row.redirect_uris ?? [],
          },
    createdAt: row.created_at,
  };
}

export type AuthRequestFilter = {
  environmentId: string;
  emailKey: string | undefined;
  /** Empty: all. */
  states: readonly AuthRequestState[];
  /** The first id that counts, and the first that does not: ids grow with time. */
  fromId: string | undefined;
  untilId: string | undefined;
  mcpServerId: string | undefined;
  /** As the management API names it. */
  clientId: string | undefined;
};

/** The log, newest first. */
export async function listAuthRequestPage(
  db: Db,
  by: AuthRequestFilter & { page: PageQuery },
): Promise<AuthRequest[]> {
  const rows = await db.rows<Row>(sql`
    with found as (select a.* from auth_requests a where ${matching(by)} ${inPage(sql`a.id`, by.page)})
    select a.id, a.state, a.workflow, a.email, a.organization_id, a.connection_id, n.organization_id as connection_organization_id, n.type as connection_type,
        n.provider as connection_provider, a.mcp_server_id, m.name as mcp_server_name,
        case c.registration when 'metadata-document' then c.handle else a.client_id end as client_id, c.name as client_name, c.kind as client_kind,
        c.token_endpoint_auth_method = 'none' as client_public, c.redirect_uris, a.created_at
      from found a
      left join connections n on n.environment_id = a.environment_id and n.id = a.connection_id
      left join mcp_servers m on m.environment_id = a.environment_id and m.id = a.mcp_server_id
      left join clients c on c.environment_id = a.environment_id and c.id = a.client_id
     order by a.id ${by.page.backwards ? sql`asc` : sql`desc`}`);
  return rows.map(fromRow);
}

/** How many there are; all of them without counting. */
export async function countAuthRequests(db: Db, by: AuthRequestFilter): Promise<number> {
  const { environmentId, states, ...filters } = by;
  const isAll = states.length === 0 && Object.values(filters).every((one) => one === undefined);
  const rows = await db.rows<{ count: bigint }>(
    isAll
      ? rowCount(environmentId, 'auth_requests')
      : sql`select count(*) as count from auth_requests a where ${matching(by)}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Only what is asked for, so that each filter finds its index. */
function matching(by: AuthRequestFilter): Sql {
  const { emailKey, states, fromId, untilId, mcpServerId, clientId } = by;
  const one = states.length === 1 ? states[0] : undefined;
  return sql`a.environment_id = ${by.environmentId}
    ${emailKey === undefined ? sql`` : sql`and a.email_key = ${emailKey}`}
    ${one === undefined ? sql`` : sql`and a.state = ${one}`}
    ${states.length < 2 ? sql`` : sql`and a.state = any(${states}::text[])`}
    ${fromId === undefined ? sql`` : sql`and a.id >= ${fromId}`}
    ${untilId === undefined ? sql`` : sql`and a.id < ${untilId}`}
    ${mcpServerId === undefined ? sql`` : sql`and a.mcp_server_id = ${mcpServerId}`}
    ${clientId === undefined ? sql`` : sql`and a.client_id = coalesce((select h.id from clients h where h.environment_id = ${by.environmentId} and h.handle = ${clientId}), ${clientId})`}`;
}

/** Forgets the oldest lines of one environment; returns how many. */
export async function deleteAuthRequests(
  db: Db,
  by: { environmentId: string; beforeId: string; limit: number },
): Promise<number> {
  const rows = await db.rows(sql`
    delete from auth_requests where environment_id = ${by.environmentId} and id in (
      select id from auth_requests where environment_id = ${by.environmentId} and id < ${by.beforeId} order by id limit ${by.limit} for update skip locked)
    returning 1`);
  return rows.length;
}
