import { type Db, sql } from '../storage/db.ts';
import type { OperatorRole } from './operators.store.ts';

export type NewOperatorSession = {
  readonly environmentId: string;
  readonly id: string;
  readonly tokenHash: Uint8Array;
  readonly operatorId: string;
  readonly now: Date;
  readonly idleExpiresAt: Date;
  readonly absoluteExpiresAt: Date;
  readonly address: string;
  readonly userAgent: string;
};

/** False when there is no such operator, or the id is taken. */
export async function insertOperatorSession(db: Db, by: NewOperatorSession): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into operator_sessions (environment_id, id, token_hash, operator_id, created_at, last_active_at, idle_expires_at, absolute_expires_at, address, user_agent)
    select ${by.environmentId}, ${by.id}, ${by.tokenHash}, o.id, ${by.now}, ${by.now}, ${by.idleExpiresAt}, ${by.absoluteExpiresAt}, ${by.address}, ${by.userAgent}
      from operators o where o.environment_id = ${by.environmentId} and o.id = ${by.operatorId} for key share
    on conflict (environment_id, id) do nothing
    returning id`);
  return rows.length === 1;
}

/** A live session, with what its operator may do now. */
export type FoundOperatorSession = {
  readonly id: string;
  readonly operatorId: string;
  readonly role: OperatorRole;
  readonly lastActiveAt: Date;
};

export async function findOperatorSession(
  db: Db,
  by: { readonly environmentId: string; readonly tokenHash: Uint8Array; readonly now: Date },
): Promise<FoundOperatorSession | undefined> {
  const rows = await db.rows<{
    id: string;
    operator_id: string;
    role: OperatorRole;
    last_active_at: Date;
  }>(sql`
    select s.id, s.operator_id, o.role, s.last_active_at
      from operator_sessions s join operators o on o.environment_id = s.environment_id and o.id = s.operator_id
     where s.environment_id = ${by.environmentId} and s.token_hash = ${by.tokenHash}
       and s.ended_at is null and s.idle_expires_at > ${by.now} and s.absolute_expires_at > ${by.now}`);
  const row = rows[0];
  if (!row) return undefined;
  const { id, operator_id: operatorId, role, last_active_at: lastActiveAt } = row;
  return { id, operatorId, role, lastActiveAt };
}

/** Use keeps a session alive, up to its absolute end. */
export async function touchOperatorSession(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly id: string;
    readonly now: Date;
    readonly idleExpiresAt: Date;
  },
): Promise<void> {
  await db.rows(sql`
    update operator_sessions set last_active_at = ${by.now}, idle_expires_at = ${by.idleExpiresAt}
     where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null and last_active_at < ${by.now}`);
}

/** The operator whose session ended; undefined when the token is not that of a live one. */
export async function endOperatorSession(
  db: Db,
  by: { readonly environmentId: string; readonly tokenHash: Uint8Array; readonly now: Date },
): Promise<{ readonly id: string; readonly operatorId: string } | undefined> {
  const rows = await db.rows<{ id: string; operator_id: string }>(sql`
    update operator_sessions set ended_at = ${by.now}
     where environment_id = ${by.environmentId} and token_hash = ${by.tokenHash} and ended_at is null
    returning id, operator_id`);
  return rows[0] && { id: rows[0].id, operatorId: rows[0].operator_id };
}

/** Sessions that nobody can use any more; at most `limit` of them. */
export async function deleteDeadOperatorSessions(
  db: Db,
  by: { readonly now: Date; readonly limit: number },
): Promise<number> {
  const rows = await db.rows(sql`
    delete from operator_sessions where (environment_id, id) in (
      select environment_id, id from operator_sessions where absolute_expires_at <= ${by.now} limit ${by.limit} for update skip locked)
    returning id`);
  return rows.length;
}
