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

/**
 * Ends the active sessions that people have open in an organization which they leave, and takes it from their other sessions;
 * one that had expired stays expired.
 */
export async function endSessionsInOrganization(
  db: Db,
  by: People & { readonly organizationId: string; readonly because: string; readonly now: Date },
): Promise<void> {
  const ends = sql`organization_id = ${by.organizationId} and ended_at is null and idle_expires_at > ${by.now} and absolute_expires_at > ${by.now}`;
  await db.rows(sql`
    update sessions set authenticated_organizations = array_remove(authenticated_organizations, ${by.organizationId}),
      ended_at = case when ${ends} then ${by.now} else ended_at end,
      ended_because = case when ${ends} then ${by.because} else ended_because end
     where environment_id = ${by.environmentId} and user_id = any(${by.userIds}::text[])
       and (organization_id = ${by.organizationId} or ${by.organizationId} = any(authenticated_organizations))`);
}

/**
 * Deletes people whose grants have ended, and who are locked. Sessions, memberships, invitations, passkeys and API keys go by
 * foreign keys; consents end; mails to them and their addresses in the log of requests go. The audit log forgets them when nothing
 * is to be delivered any more (`forgetDeleted`), and what is swept within a day anyway, such as half-finished sign-ins, is left to
 * its sweep.
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
    ), remembered as (
      insert into deleted_users (environment_id, user_id, deleted_at, looked_at)
      select ${by.environmentId}::text, id, ${by.now}::timestamptz, ${by.now}::timestamptz from people on conflict do nothing
    ), unsent as (
      delete from mails where environment_id = ${by.environmentId} and recipient in (select email from people)
    )
    update auth_requests set email = null, email_key = null
     where environment_id = ${by.environmentId} and email_key in (select email_key from people)`);
}

/** People whose events one statement looks at; who gets this number calls again. */
export const FORGOTTEN_AT_ONCE = 100;

/**
 * Takes what events say of deleted people out of them: data, address and user agent. Events that wait for a delivery keep
 * everything until it is over, and so does the list of whom to forget.
 *
 * @returns how many people it looked at
 */
export async function forgetDeleted(
  db: Db,
  by: { readonly now: Date; readonly lookedBefore: Date },
): Promise<number> {
  const rows = await db.rows(sql`
    with due as (
      select environment_id, user_id from deleted_users where looked_at <= ${by.lookedBefore} order by looked_at limit ${FORGOTTEN_AT_ONCE} for update skip locked
    ), told as (
      select e.environment_id, e.id, e.user_id, exists (
        select 1 from webhook_deliveries d where d.environment_id = e.environment_id and d.event_id = e.id and d.next_attempt_at is not null) as waits
        from due join events e on e.environment_id = due.environment_id and e.user_id = due.user_id
       where e.type <> 'user.deleted' and (e.data <> '{}' or e.address is not null or e.user_agent is not null)
    ), forgotten as (
      update events e set data = '{}', address = null, user_agent = null from told
       where not told.waits and e.environment_id = told.environment_id and e.id = told.id
    ), done as (
      delete from deleted_users d using due
       where d.environment_id = due.environment_id and d.user_id = due.user_id
         and not exists (select 1 from told where told.waits and told.environment_id = due.environment_id and told.user_id = due.user_id)
    ), again as (
      update deleted_users d set looked_at = ${by.now} from due
       where d.environment_id = due.environment_id and d.user_id = due.user_id
         and exists (select 1 from told where told.waits and told.environment_id = due.environment_id and told.user_id = due.user_id)
    )
    select user_id from due`);
  return rows.length;
}
