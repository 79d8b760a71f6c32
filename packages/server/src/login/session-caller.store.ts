import { type Db, sql } from '../storage/db.ts';

/**
 * The organization that a session is open in, and what the roles of its person permit there, along their bases too. Undefined
 * without an organization, or when the person is not an active member of it at this moment.
 */
export async function rightsOfSession(
  db: Db,
  by: { readonly environmentId: string; readonly sessionId: string },
): Promise<
  { readonly organizationId: string; readonly permissions: readonly string[] } | undefined
> {
  const { environmentId, sessionId } = by;
  const rows = await db.rows<{ organization_id: string; permissions: string[] }>(sql`
    with recursive member as (
      select m.organization_id, m.user_id
        from sessions s join memberships m on m.environment_id = s.environment_id and m.organization_id = s.organization_id and m.user_id = s.user_id
       where s.environment_id = ${environmentId} and s.id = ${sessionId} and m.status = 'ACTIVE'
    ), line as (
      select r.id, r.base_id from member
        join membership_roles mr on mr.environment_id = ${environmentId} and mr.organization_id = member.organization_id and mr.user_id = member.user_id
        join roles r on r.environment_id = ${environmentId} and r.id = mr.role_id
      union
      select r.id, r.base_id from line join roles r on r.environment_id = ${environmentId} and r.id = line.base_id
    )
    select member.organization_id, array(
      select distinct rp.permission_name from line
        join role_permissions rp on rp.environment_id = ${environmentId} and rp.role_id = line.id
    ) as permissions from member`);
  const row = rows[0];
  return row && { organizationId: row.organization_id, permissions: row.permissions };
}
