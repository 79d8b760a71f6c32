import type { SessionPolicy } from '../organizations/organizations.store.ts';
import { type Db, sql } from '../storage/db.ts';

type OwnOrganization = { readonly id: string; readonly sessionPolicy: SessionPolicy | undefined };

/** The organizations that a person is an active member of, with their policies where they have one. */
export async function listOwnOrganizations(
  db: Db,
  by: { environmentId: string; userId: string },
): Promise<OwnOrganization[]> {
  const rows = await db.rows<{ id: string; session_policy: SessionPolicy | null }>(sql`
    select o.id, o.session_policy
      from memberships m join organizations o on o.environment_id = m.environment_id and o.id = m.organization_id
     where m.environment_id = ${by.environmentId} and m.user_id = ${by.userId} and m.status = 'ACTIVE'`);
  return rows.map((row) => ({ id: row.id, sessionPolicy: row.session_policy ?? undefined }));
}
