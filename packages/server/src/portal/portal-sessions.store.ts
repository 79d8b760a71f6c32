import { type Db, sql } from '../storage/db.ts';

/** False when the id is taken: the caller tries another. */
export async function insertPortalSession(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly id: string;
    readonly tokenHash: Uint8Array;
    readonly linkId: string;
    readonly organizationId: string;
    readonly now: Date;
    readonly expiresAt: Date;
    readonly address: string;
    readonly userAgent: string;
  },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into portal_sessions (environment_id, id, token_hash, link_id, organization_id, created_at, expires_at, address, user_agent)
    values (${by.environmentId}, ${by.id}, ${by.tokenHash}, ${by.linkId}, ${by.organizationId}, ${by.now}, ${by.expiresAt}, ${by.address}, ${by.userAgent})
    on conflict (environment_id, id) do nothing returning id`);
  return rows.length === 1;
}

/** A live session of a portal. */
export type PortalSession = {
  readonly id: string;
  readonly organizationId: string;
  readonly organizationName: string;
  /** What its link is for and the organization has at this moment. */
  readonly features: readonly string[];
  readonly expiresAt: Date;
};

/** With what the organization has switched on now, so that switching a feature off ends it in open portals too. */
export async function findPortalSession(
  db: Db,
  by: { readonly environmentId: string; readonly tokenHash: Uint8Array; readonly now: Date },
): Promise<PortalSession | undefined> {
  const rows = await db.rows<{
    id: string;
    organization_id: string;
    display_name: string;
    features: string[];
    settings: { features?: Record<string, boolean> };
    expires_at: Date;
  }>(sql`
    select s.id, s.organization_id, o.display_name, l.features, o.settings, s.expires_at
      from portal_sessions s
      join portal_links l on l.environment_id = s.environment_id and l.id = s.link_id
      join organizations o on o.environment_id = s.environment_id and o.id = s.organization_id
     where s.environment_id = ${by.environmentId} and s.token_hash = ${by.tokenHash} and s.ended_at is null and s.expires_at > ${by.now}`);
  const row = rows[0];
  if (!row) return undefined;
  const on = row.settings.features ?? {};
  const asked = row.features.length === 0 ? Object.keys(on).sort() : row.features;
  return {
    id: row.id,
    organizationId: row.organization_id,
    organizationName: row.display_name,
    features: asked.filter((name) => on[name] === true),
    expiresAt: row.expires_at,
  };
}
