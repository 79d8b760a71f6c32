import { type Db, sql } from '../storage/db.ts';

/** A link to the administration portal of an organization, until somebody opens it. */
export type PortalLink = {
  readonly id: string;
  readonly organizationId: string;
  /** What can be set up with it; empty: whatever the organization has. */
  readonly features: readonly string[];
  readonly expiresAt: Date;
};

type Row = { id: string; organization_id: string; features: string[]; expires_at: Date };

function fromRow(row: Row): PortalLink {
  const { id, features } = row;
  return { id, organizationId: row.organization_id, features, expiresAt: row.expires_at };
}

/** False when the id is taken: the caller tries another. */
export async function insertPortalLink(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly link: PortalLink;
    readonly keyHash: Uint8Array;
    readonly now: Date;
  },
): Promise<boolean> {
  const { environmentId, link, keyHash, now } = by;
  const rows = await db.rows(sql`
    insert into portal_links (environment_id, id, organization_id, key_hash, features, created_at, expires_at)
    values (${environmentId}, ${link.id}, ${link.organizationId}, ${keyHash}, ${link.features}::text[], ${now}, ${link.expiresAt})
    on conflict (environment_id, id) do nothing returning id`);
  return rows.length === 1;
}

/** The link of an address, if it can still be opened. */
export async function findPortalLink(
  db: Db,
  by: { readonly environmentId: string; readonly keyHash: Uint8Array; readonly now: Date },
): Promise<PortalLink | undefined> {
  const rows = await db.rows<Row>(sql`
    select id, organization_id, features, expires_at from portal_links
     where environment_id = ${by.environmentId} and key_hash = ${by.keyHash} and opened_at is null and expires_at > ${by.now}`);
  return rows[0] && fromRow(rows[0]);
}

/** Opens a link. The one gate: of several who try at once, one gets it. */
export async function openPortalLink(
  db: Db,
  by: { readonly environmentId: string; readonly keyHash: Uint8Array; readonly now: Date },
): Promise<PortalLink | undefined> {
  const rows = await db.rows<Row>(sql`
    update portal_links set opened_at = ${by.now}
     where environment_id = ${by.environmentId} and key_hash = ${by.keyHash} and opened_at is null and expires_at > ${by.now}
    returning id, organization_id, features, expires_at`);
  return rows[0] && fromRow(rows[0]);
}

/** Those that can still be opened, newest first. */
export async function listPortalLinks(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly organizationId: string;
    readonly now: Date;
    readonly limit: number;
  },
): Promise<PortalLink[]> {
  const rows = await db.rows<Row>(sql`
    select id, organization_id, features, expires_at from portal_links
     where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and opened_at is null and expires_at > ${by.now}
     order by id desc limit ${by.limit}`);
  return rows.map(fromRow);
}

/** Deletes one link of an organization, or all; whoever opened one loses the portal. Answers the ids. */
export async function deletePortalLinks(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly organizationId: string;
    readonly linkId?: string | undefined;
  },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    delete from portal_links
     where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and (${by.linkId}::text is null or id = ${by.linkId})
    returning id`);
  return rows.map(({ id }) => id);
}

/** Links whose portal nobody can use any more; at most `limit` of them. */
export async function deleteDeadPortalLinks(
  db: Db,
  by: { readonly now: Date; readonly limit: number },
): Promise<number> {
  const rows = await db.rows(sql`
    delete from portal_links where (environment_id, id) in (
      select l.environment_id, l.id from portal_links l
       where l.expires_at <= ${by.now}
         and not exists (select 1 from portal_sessions s where s.environment_id = l.environment_id and s.link_id = l.id and s.expires_at > ${by.now})
       limit ${by.limit} for update skip locked)
    returning id`);
  return rows.length;
}
