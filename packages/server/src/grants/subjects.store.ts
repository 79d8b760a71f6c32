import { type Db, sql } from '../storage/db.ts';

export type Subject = {
  readonly email: string;
  readonly emailVerified: boolean;
  readonly name: string;
};

/** The person behind a token, while enabled and, where it is asked for, while the session is not over. */
export async function findSubject(
  db: Db,
  by: { environmentId: string; userId: string; sessionId: string; needsSession: boolean },
): Promise<Subject | undefined> {
  const rows = await db.rows<{ email: string; verified: boolean; name: string }>(sql`
    select u.email, u.email_verified_at is not null as verified, u.name from users u
     where u.environment_id = ${by.environmentId} and u.id = ${by.userId} and u.enabled
       and (not ${by.needsSession}::boolean or exists (
         select 1 from sessions s where s.environment_id = u.environment_id and s.id = ${by.sessionId} and s.user_id = u.id and s.ended_at is null))`);
  const row = rows[0];
  return row && { email: row.email, emailVerified: row.verified, name: row.name };
}
