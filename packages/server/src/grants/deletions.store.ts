import { type Db, sql } from '../storage/db.ts';
import type { MembershipKey } from '../users/memberships.store.ts';

type People = { readonly environmentId: string; readonly userIds: readonly string[] };

/** Locks people against everything, new memberships and grants included, until the transaction ends. */
export async function lockPeople(db: Db, by: People): Promise<void> {
  await db.rows(sql`
    select id from users where environment_id = ${by.environmentId} and id = any(${by.userIds}::text[]) order by id for update`);
}

/** The same for all members of an organization. Returns their ids. */
export async function lockMembers(
  db: Db,
  by: { readonly environmentId: string; readonly organizationId: string },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    select u.id from users u
     where u.environment_id = ${by.environmentId} and u.id in (
       select m.user_id from memberships m where m.environment_id = ${by.environmentId} and m.organization_id = ${by.organizationId})
     order by u.id for update`);
  return rows.map(({ id }) => id);
}

/** Those of these people, who are locked, who belong to no organization but this one. */
export async function withoutOtherMembership(
  db: Db,
  by: People & { readonly organizationId: string },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    select id from unnest(${by.userIds}::text[]) as id
     where not exists (select 1 from memberships m where m.environment_id = ${by.environmentId} and m.user_id = id and m.organization_id <> ${by.organizationId})`);
  return rows.map(({ id }) => id);
}

/** False: there was no such membership. */
export async function deleteMembershipRow(db: Db, by: MembershipKey): Promise<boolean> {
  const rows = await db.rows(sql`
    delete from memberships where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and user_id = ${by.userId} returning user_id`);
  return rows.length > 0;
}

/** Ends the sessions that people have open in an organization which they leave, and takes it from their other sessions. */
export async function endSessionsInOrganization(
  db: Db,
  by: People & { readonly organizationId: string; readonly because: string; readonly now: Date },
): Promise<void> {
  await db.rows(sql`
    update sessions set authenticated_organizations = array_remove(authenticated_organizations, ${by.organizationId}),
      ended_at = case when organization_id = ${by.organizationId} then coalesce(ended_at, ${by.now}) else ended_at end,
      ended_because = case when organization_id = ${by.organizationId} then coalesce(ended_because, ${by.because}) else ended_because end
     where environment_id = ${by.environmentId} and user_id = any(${by.userIds}::text[])
       and (organization_id = ${by.organizationId} or ${by.organizationId} = any(authenticated_organizations))`);
}

/**
 * Deletes people whose grants have ended, and who are locked. Sessions, memberships, invitations, passkeys and API keys go by
 * foreign keys; consents end; mails to them and their addresses in the log of requests go. What is swept within a day anyway, such
 * as half-finished sign-ins, is left to its sweep.
 */
export async function deletePeople(
  db: Db,
  by: People & { readonly because: string; readonly now: Date },
): Promise<void> {
  await db.rows(sql`
    with people as (
      delete from users where environment_id = ${by.environmentId} and id = any(${by.userIds}::text[]) returning id, email, email_key
    ), refused as (
      update consents set revoked_at = ${by.now}, revoked_because = ${by.because}, remembered = false
       where environment_id = ${by.environmentId} and user_id = any(${by.userIds}::text[]) and revoked_at is null
    ), unsent as (
      delete from mails where environment_id = ${by.environmentId} and recipient in (select email from people)
    )
    update auth_requests set email = null, email_key = null
     where environment_id = ${by.environmentId} and email_key in (select email_key from people)`);
}
