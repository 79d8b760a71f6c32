import { isId } from '../runtime/ids.ts';
import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';
import type { ConnectionStatus, ConnectionType } from './connection.ts';
import { served, VERIFIED } from './domains.store.ts';

/** A connection as lists show it. */
export type ConnectionEntry = {
  readonly id: string;
  readonly organizationId: string | undefined;
  readonly organizationName: string | undefined;
  readonly type: ConnectionType;
  readonly provider: string;
  readonly providerKey: string;
  readonly keyId: string | undefined;
  readonly enabled: boolean;
  readonly status: ConnectionStatus;
  readonly uiButtonTitle: string;
  /** Those that it is for, at most a hundred; no unproven ones, as lists do not say which those are. */
  readonly domains: readonly string[];
  readonly createdAt: Date;
};

type Row = {
  id: string;
  organization_id: string | null;
  organization_name: string | null;
  type: ConnectionType;
  provider: string;
  provider_key: string;
  key_id: string | null;
  enabled: boolean;
  status: ConnectionStatus;
  ui_button_title: string;
  domains: string[];
  created_at: Date;
};

const columns = sql`c.id, c.organization_id, o.display_name as organization_name, c.type, c.provider, c.provider_key, c.key_id, c.enabled, c.status, c.ui_button_title, c.created_at,
  array(select d.domain from domains d where d.environment_id = c.environment_id and d.organization_id = c.organization_id and d.verification_status in ${VERIFIED} and ${served()} order by d.domain limit 100) as domains`;
const from = sql`connections c left join organizations o on o.environment_id = c.environment_id and o.id = c.organization_id`;

const fromRow = (row: Row): ConnectionEntry => ({
  id: row.id,
  organizationId: row.organization_id ?? undefined,
  organizationName: row.organization_name ?? undefined,
  type: row.type,
  provider: row.provider,
  providerKey: row.provider_key,
  keyId: row.key_id ?? undefined,
  enabled: row.enabled,
  status: row.status,
  uiButtonTitle: row.ui_button_title,
  domains: row.domains,
  createdAt: row.created_at,
});

/** What the list without pages has at most. */
const MOST_LISTED = 1_000;

export type ListFilter = {
  readonly environmentId: string;
  readonly organizationId?: string | undefined;
  /** Only connections that are for this domain, once it is proven. */
  readonly domain?: string | undefined;
  /** Also those that are not in use. */
  readonly all: boolean;
};

/** Connections of the environment and of its organizations, newest first: at most a thousand. */
export async function listConnections(db: Db, by: ListFilter): Promise<ConnectionEntry[]> {
  const { environmentId, organizationId, domain, all } = by;
  const inUse = all ? sql`` : sql`and c.enabled and c.status = 'COMPLETED'`;
  const own = organizationId === undefined ? sql`` : sql`and c.organization_id = ${organizationId}`;
  const forDomain =
    domain === undefined
      ? sql``
      : sql`and exists (select 1 from domains d where d.environment_id = c.environment_id and d.organization_id = c.organization_id and d.domain = ${domain} and d.verification_status in ${VERIFIED} and ${served()})
        and c.organization_id = (select d.organization_id from domains d where d.environment_id = ${environmentId} and d.domain = ${domain} and d.domain_type = 'ORGANIZATION_DOMAIN' and d.verification_status in ${VERIFIED})`;
  const rows = await db.rows<Row>(sql`
    select ${columns} from ${from} where c.environment_id = ${environmentId} ${own} ${inUse} ${forDomain} order by c.id desc limit ${MOST_LISTED}`);
  return rows.map(fromRow);
}

export type SearchFilter = {
  readonly environmentId: string;
  /** A part of the organization's name or ids, at least three characters, or the whole id of a connection. */
  readonly query?: string | undefined;
  /** In upper case. */
  readonly provider?: string | undefined;
  readonly status?: ConnectionStatus | undefined;
  readonly type?: ConnectionType | undefined;
  readonly enabled?: boolean | undefined;
};

/** Connections of organizations, newest first. */
export async function listOrganizationConnectionPage(
  db: Db,
  by: SearchFilter & { page: PageQuery },
): Promise<ConnectionEntry[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from ${from} where ${matching(by)} ${inPage(sql`c.id`, by.page)}`,
  );
  return rows.map(fromRow);
}

/** How far the list counts: nobody pages through more. */
const MOST_COUNTED = 10_000;

/** How many there are, up to ten thousand. */
export async function countOrganizationConnections(db: Db, by: SearchFilter): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from (select 1 from ${from} where ${matching(by)} limit ${MOST_COUNTED}) found`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Only the conditions that were asked for, so that the database can use its index for each of them. */
function matching({ environmentId, query, provider, status, type, enabled }: SearchFilter): Sql {
  const conditions = [
    sql`c.environment_id = ${environmentId} and c.organization_id is not null`,
    ...(query === undefined ? [] : [found(query)]),
    ...(provider === undefined
      ? []
      : [sql`(c.provider = ${provider} or c.provider_key = ${provider})`]),
    ...(status === undefined ? [] : [sql`c.status = ${status}`]),
    ...(type === undefined ? [] : [sql`c.type = ${type}`]),
    // Only complete ones are ever enabled.
    ...(enabled === undefined
      ? []
      : [enabled ? sql`c.enabled and c.status = 'COMPLETED'` : sql`not c.enabled`]),
  ];
  return conditions.reduce((all, one) => sql`${all} and ${one}`);
}

function found(query: string): Sql {
  if (isId(query, 'conn')) return sql`c.id = ${query}`;
  const part = query.toLowerCase();
  return sql`strpos(o.search_text, ${part}) > 0 and o.search_parts @> search_keys_of(${part})`;
}
