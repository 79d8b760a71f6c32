import { rowCount } from '../environments/row-counts.store.ts';
import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** What an organization has instead of the application's session policy. Times in minutes. */
export type SessionPolicy = {
  readonly absoluteMinutes: number;
  readonly idleEnabled: boolean;
  readonly idleMinutes?: number | undefined;
};

/** What a change of an organization may touch. */
export type OrganizationMembers = {
  readonly displayName: string;
  readonly externalId: string | undefined;
  readonly slug: string | undefined;
  readonly logoUrl: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Features that were ever set, by their names in answers. */
  readonly features: Readonly<Record<string, boolean>>;
  /** Absent: the application's policy alone. */
  readonly sessionPolicy: SessionPolicy | undefined;
  /** Absent: not managed; 0: no limit. */
  readonly maxAllowedUsers: number | undefined;
};

/** A customer of the application. */
export type Organization = OrganizationMembers & {
  readonly id: string;
  readonly regionCode: 'US' | 'EU';
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

/** An organization by our name for it, or by the application's. */
export type OrganizationKey = { readonly id: string } | { readonly externalId: string };

type Row = {
  id: string;
  external_id: string | null;
  display_name: string;
  slug: string | null;
  logo_url: string | null;
  region_code: string;
  metadata: Record<string, string>;
  settings: { features?: Record<string, boolean> };
  session_policy: SessionPolicy | null;
  max_allowed_users: number | null;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`id, external_id, display_name, slug, logo_url, region_code, metadata, settings, session_policy, max_allowed_users, created_at, updated_at`;

function fromRow(row: Row): Organization {
  return {
    id: row.id,
    externalId: row.external_id ?? undefined,
    displayName: row.display_name,
    slug: row.slug ?? undefined,
    logoUrl: row.logo_url ?? undefined,
    regionCode: row.region_code === 'EU' ? 'EU' : 'US',
    metadata: row.metadata,
    features: row.settings.features ?? {},
    sessionPolicy: row.session_policy ?? undefined,
    maxAllowedUsers: row.max_allowed_users ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function named(key: OrganizationKey): Sql {
  return 'id' in key ? sql`id = ${key.id}` : sql`external_id = ${key.externalId}`;
}

function searchText(by: { id: string } & Pick<Organization, 'displayName' | 'externalId'>): string {
  return [by.displayName, by.id, by.externalId ?? ''].join('\n').toLowerCase();
}

/** @throws unique violation on `organizations_by_external_id`, `organizations_by_slug` or the id */
export async function insertOrganization(
  db: Db,
  by: {
    environmentId: string;
    organization: Omit<Organization, 'createdAt' | 'updatedAt'>;
    now: Date;
  },
): Promise<Organization> {
  const { environmentId, organization: o, now } = by;
  const rows = await db.rows<Row>(sql`
    insert into organizations (environment_id, id, external_id, display_name, slug, logo_url, region_code, metadata, settings, session_policy, max_allowed_users, search_text, created_at, updated_at)
    values (${environmentId}, ${o.id}, ${o.externalId}, ${o.displayName}, ${o.slug}, ${o.logoUrl}, ${o.regionCode}, ${json(o.metadata)}, ${json({ features: o.features })},
      ${json(o.sessionPolicy)}, ${o.maxAllowedUsers}, ${searchText(o)}, ${now}, ${now}) returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the organization was not written');
  return fromRow(row);
}

export async function findOrganization(
  db: Db,
  by: { environmentId: string; key: OrganizationKey },
): Promise<Organization | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from organizations where environment_id = ${by.environmentId} and ${named(by.key)}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Those of these organizations that there are, in no order. */
export async function findOrganizations(
  db: Db,
  by: { environmentId: string; ids: readonly string[] },
): Promise<Organization[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from organizations where environment_id = ${by.environmentId} and id = any(${by.ids}::text[])`,
  );
  return rows.map(fromRow);
}

/** The organization, which nobody else changes until the transaction ends. */
export async function lockOrganization(
  db: Db,
  by: { environmentId: string; key: OrganizationKey },
): Promise<Organization | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from organizations where environment_id = ${by.environmentId} and ${named(by.key)} for update`,
  );
  return rows[0] && fromRow(rows[0]);
}

/**
 * The organization, which nobody else changes or deletes until the transaction ends. Unlike `lockOrganization` it does not stop
 * what only refers to it.
 */
export async function holdOrganization(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<Organization | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from organizations where environment_id = ${by.environmentId} and id = ${by.id} for no key update`,
  );
  return rows[0] && fromRow(rows[0]);
}

/**
 * Writes all members of an organization that is locked.
 *
 * @throws unique violation on `organizations_by_external_id` or `organizations_by_slug`
 */
export async function updateOrganization(
  db: Db,
  by: { environmentId: string; id: string; members: OrganizationMembers; now: Date },
): Promise<Organization> {
  const { environmentId, id, members: m, now } = by;
  const rows = await db.rows<Row>(sql`
    update organizations set external_id = ${m.externalId}, display_name = ${m.displayName}, slug = ${m.slug}, logo_url = ${m.logoUrl}, metadata = ${json(m.metadata)},
      settings = settings || ${json({ features: m.features })}::jsonb, session_policy = ${json(m.sessionPolicy)}, max_allowed_users = ${m.maxAllowedUsers},
      search_text = ${searchText({ ...m, id })}, updated_at = ${now}, row_version = row_version + 1
     where environment_id = ${environmentId} and id = ${id} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`organization ${id} was not locked`);
  return fromRow(row);
}

/** The row that was deleted. */
export async function deleteOrganization(
  db: Db,
  by: { environmentId: string; key: OrganizationKey },
): Promise<Organization | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from organizations where environment_id = ${by.environmentId} and ${named(by.key)} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** What a list is about: all organizations, those of an external id, or those whose name or ids have a text in them. */
export type OrganizationFilter = {
  readonly externalId?: string | undefined;
  /** Three characters at least. */
  readonly text?: string | undefined;
};

function matching(environmentId: string, { externalId, text }: OrganizationFilter): Sql {
  const own = sql`environment_id = ${environmentId}`;
  if (externalId !== undefined) return sql`${own} and external_id = ${externalId}`;
  if (text === undefined) return own;
  const part = text.toLowerCase();
  // The index finds rows that have all the pieces, in any order. First comes what is cheaper for a scan without it.
  return sql`${own} and strpos(search_text, ${part}) > 0 and search_parts @> search_keys_of(${part})`;
}

/** Newest first. */
export async function listOrganizationPage(
  db: Db,
  by: { environmentId: string; filter: OrganizationFilter; page: PageQuery },
): Promise<Organization[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from organizations where ${matching(by.environmentId, by.filter)} ${inPage(sql`id`, by.page)}`);
  return rows.map(fromRow);
}

/** How far a search counts: nobody pages through more, and the count of a short text would look at everything. */
const MOST_COUNTED = 10_000;

/** All organizations of a list; of a search no more than ten thousand. */
export async function countOrganizations(
  db: Db,
  by: { environmentId: string; filter: OrganizationFilter },
): Promise<number> {
  const { environmentId, filter } = by;
  const everything = filter.text === undefined && filter.externalId === undefined;
  const rows = await db.rows<{ count: bigint }>(
    everything
      ? rowCount(environmentId, 'organizations')
      : sql`select count(*) as count from (select 1 from organizations where ${matching(environmentId, filter)} limit ${MOST_COUNTED}) found`,
  );
  return Number(rows[0]?.count ?? 0n);
}
