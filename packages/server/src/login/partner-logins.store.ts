import { type Db, json, sql } from '../storage/db.ts';

/** Who signed in at the application's own login page, as its backend said. */
export type PartnerPerson = {
  readonly subject: string;
  readonly email: string;
  readonly emailKey: string;
  readonly emailVerified: boolean;
  readonly name: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly phoneNumber: string;
  readonly picture: string;
  readonly gender: string;
  readonly locale: string;
  readonly preferredUsername: string;
  /** For access tokens: `roles`, `groups`, `xoid` and the application's own attributes. */
  readonly claims: Readonly<Record<string, unknown>>;
};

/** A browser that was sent to the application's own login page. */
export type PartnerLogin = {
  readonly id: string;
  readonly loginRequestId: string;
  readonly connectionId: string;
  readonly person: PartnerPerson | undefined;
  readonly failed: boolean;
  readonly expiresAt: Date;
  readonly completedAt: Date | undefined;
};

type Row = {
  id: string;
  login_request_id: string;
  connection_id: string;
  details: PartnerPerson | null;
  failed: boolean;
  expires_at: Date;
  completed_at: Date | null;
};

const columns = sql`id, login_request_id, connection_id, details, failed, expires_at, completed_at`;

function fromRow(row: Row): PartnerLogin {
  return {
    id: row.id,
    loginRequestId: row.login_request_id,
    connectionId: row.connection_id,
    person: row.details ?? undefined,
    failed: row.failed,
    expiresAt: row.expires_at,
    completedAt: row.completed_at ?? undefined,
  };
}

/**
 * Notes that a browser leaves for the login page. Another round of the same authorization takes the place of the one before, whose
 * name and state are good for nothing any more.
 */
export async function putPartnerLogin(
  db: Db,
  by: {
    environmentId: string;
    id: string;
    loginRequestId: string;
    connectionId: string;
    stateHash: Uint8Array;
    now: Date;
    expiresAt: Date;
  },
): Promise<void> {
  await db.rows(sql`
    insert into partner_logins (environment_id, id, login_request_id, connection_id, state_hash, created_at, expires_at)
    values (${by.environmentId}, ${by.id}, ${by.loginRequestId}, ${by.connectionId}, ${by.stateHash}, ${by.now}, ${by.expiresAt})
    on conflict (environment_id, login_request_id) do update set id = excluded.id, connection_id = excluded.connection_id, state_hash = excluded.state_hash,
      details = null, failed = false, created_at = excluded.created_at, expires_at = excluded.expires_at, completed_at = null`);
}

/**
 * Notes what the application's backend says about a sign-in; the last word counts until the browser is back. Says which line of
 * the log it is; undefined when there is no such sign-in at this connection, or it is over.
 */
export async function reportPartnerLogin(
  db: Db,
  by: {
    environmentId: string;
    id: string;
    connectionId: string;
    person: PartnerPerson | undefined;
    now: Date;
  },
): Promise<{ readonly authRequestId: string | undefined; readonly flowId: string } | undefined> {
  const rows = await db.rows<{ auth_request_id: string | null; flow_id: string }>(sql`
    update partner_logins p set details = ${json(by.person)}, failed = ${by.person === undefined}
      from login_requests l
     where p.environment_id = ${by.environmentId} and p.id = ${by.id} and p.connection_id = ${by.connectionId} and p.completed_at is null and p.expires_at > ${by.now}
       and l.environment_id = p.environment_id and l.id = p.login_request_id and l.ended_at is null and l.expires_at > ${by.now}
    returning l.auth_request_id, l.flow_id`);
  const row = rows[0];
  return row && { authRequestId: row.auth_request_id ?? undefined, flowId: row.flow_id };
}

/** The sign-in that a state belongs to. */
export async function findPartnerLogin(
  db: Db,
  by: { environmentId: string; connectionId: string; stateHash: Uint8Array },
): Promise<PartnerLogin | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from partner_logins where environment_id = ${by.environmentId} and connection_id = ${by.connectionId} and state_hash = ${by.stateHash}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The gate of the way back: of any number of browsers that bring the state, one passes. What was said by then is what counts. */
export async function completePartnerLogin(
  db: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<PartnerLogin | undefined> {
  const rows = await db.rows<Row>(sql`
    update partner_logins set completed_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} and completed_at is null and expires_at > ${by.now} and (failed or details is not null)
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Removes what is over. Returns how many; at `limit` there may be more. */
export async function deleteOverPartnerLogins(
  db: Db,
  by: { before: Date; limit: number },
): Promise<number> {
  const rows = await db.rows(sql`
    delete from partner_logins where (environment_id, id) in (select environment_id, id from partner_logins where expires_at < ${by.before} limit ${by.limit})
    returning id`);
  return rows.length;
}

/** Whom a subject of a connection stands for. Nobody else changes that until the transaction ends. */
export async function lockPartnerPerson(
  db: Db,
  by: { environmentId: string; connectionId: string; subject: string },
): Promise<string | undefined> {
  const rows = await db.rows<{ user_id: string }>(
    sql`select user_id from partner_people where environment_id = ${by.environmentId} and connection_id = ${by.connectionId} and subject = ${by.subject} for update`,
  );
  return rows[0]?.user_id;
}

export async function putPartnerPerson(
  db: Db,
  by: {
    environmentId: string;
    connectionId: string;
    subject: string;
    userId: string;
    claims: Readonly<Record<string, unknown>>;
    now: Date;
  },
): Promise<void> {
  await db.rows(sql`
    insert into partner_people (environment_id, connection_id, subject, user_id, claims, created_at, updated_at)
    values (${by.environmentId}, ${by.connectionId}, ${by.subject}, ${by.userId}, ${json(by.claims)}, ${by.now}, ${by.now})
    on conflict (environment_id, connection_id, subject) do update set claims = excluded.claims, updated_at = excluded.updated_at`);
}
