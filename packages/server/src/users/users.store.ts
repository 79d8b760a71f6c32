import { type Db, sql } from '../storage/db.ts';

export type User = {
  readonly id: string;
  readonly email: string;
  /** The address as it is compared. */
  readonly emailKey: string;
  readonly name: string;
  readonly enabled: boolean;
  /** 32 random bytes; what tokens carry of a person towards one server is derived from it. */
  readonly revocationSecret: Uint8Array;
};

type Row = {
  id: string;
  email: string;
  email_key: string;
  name: string;
  enabled: boolean;
  revocation_secret: Uint8Array;
};

const columns = sql`id, email, email_key, name, enabled, revocation_secret`;

function fromRow(row: Row): User {
  return {
    id: row.id,
    email: row.email,
    emailKey: row.email_key,
    name: row.name,
    enabled: row.enabled,
    revocationSecret: row.revocation_secret,
  };
}

export async function findUserRow(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<User | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from users where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export async function findUserByEmail(
  db: Db,
  by: { environmentId: string; emailKey: string },
): Promise<User | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from users where environment_id = ${by.environmentId} and email_key = ${by.emailKey}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export type NewUser = {
  environmentId: string;
  id: string;
  email: string;
  emailKey: string;
  name: string;
  revocationSecret: Uint8Array;
  now: Date;
};

/** Adds a person whose address was just proven. Undefined when the address, or the id, is taken: then somebody else was faster. */
export async function insertUser(db: Db, user: NewUser): Promise<User | undefined> {
  const rows = await db.rows<Row>(sql`
    insert into users (environment_id, id, email, email_key, email_verified_at, name, revocation_secret, created_at, updated_at, last_login_at)
    values (${user.environmentId}, ${user.id}, ${user.email}, ${user.emailKey}, ${user.now}, ${user.name}, ${user.revocationSecret}, ${user.now}, ${user.now}, ${user.now})
    on conflict do nothing
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Notes that an enabled person proved the address again. Undefined when there is no such person; a disabled one is unchanged. */
export async function noteProof(
  db: Db,
  by: { environmentId: string; emailKey: string; now: Date },
): Promise<User | undefined> {
  const rows = await db.rows<Row>(sql`
    update users set email_verified_at = case when enabled then coalesce(email_verified_at, ${by.now}) else email_verified_at end,
      last_login_at = case when enabled then ${by.now} else last_login_at end
     where environment_id = ${by.environmentId} and email_key = ${by.emailKey}
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** True when this call changed it. */
export async function setUserEnabled(
  db: Db,
  by: { environmentId: string; id: string; enabled: boolean; now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    update users set enabled = ${by.enabled}, updated_at = ${by.now}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} and enabled <> ${by.enabled}
    returning id`);
  return rows.length === 1;
}
