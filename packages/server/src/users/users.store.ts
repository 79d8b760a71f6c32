import { rowCount } from '../environments/row-counts.store.ts';
import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** What applications may say of a person. Texts that nobody gave are empty. */
export type UserMembers = {
  /** The application's own name for the person. */
  readonly externalId: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly name: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly phoneNumber: string;
  readonly picture: string;
  readonly gender: string;
  readonly locale: string;
  readonly preferredUsername: string;
  readonly groups: readonly string[];
  readonly customAttributes: Readonly<Record<string, string>>;
  readonly profileMetadata: Readonly<Record<string, string>>;
};

export type User = UserMembers & {
  readonly id: string;
  readonly email: string;
  /** The address as it is compared. */
  readonly emailKey: string;
  readonly emailVerified: boolean;
  readonly phoneNumberVerified: boolean;
  readonly enabled: boolean;
  /** 32 random bytes; what tokens carry of a person towards one server is derived from it. */
  readonly revocationSecret: Uint8Array;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastLoginAt: Date | undefined;
};

/**
 * What stands where others have their address in lower case, for a person whom an application's own login page vouches for. No
 * address begins with a space, so none leads to them.
 */
export function partnerKey(connectionId: string, subjectHash: Uint8Array): string {
  return ` ${connectionId} ${Buffer.from(subjectHash).toString('hex')}`;
}

/** Whether a person signs in with an application's own login page alone: their address is only what that said (SSO-69). */
export function signsInElsewhere({ emailKey }: Pick<User, 'emailKey'>): boolean {
  return emailKey.startsWith(' ');
}

/** A person by our name for them, or by the application's. */
export type UserKey = { readonly id: string } | { readonly externalId: string };

type Row = {
  id: string;
  email: string;
  email_key: string;
  email_verified: boolean;
  name: string;
  enabled: boolean;
  revocation_secret: Uint8Array;
  external_id: string | null;
  metadata: Record<string, string>;
  given_name: string;
  family_name: string;
  phone_number: string;
  phone_number_verified: boolean;
  picture: string;
  gender: string;
  locale: string;
  preferred_username: string;
  groups: string[];
  custom_attributes: Record<string, string>;
  profile_metadata: Record<string, string>;
  created_at: Date;
  updated_at: Date;
  last_login_at: Date | null;
};

const columns = sql`users.id, users.email, users.email_key, users.email_verified_at is not null as email_verified, users.name, users.enabled, users.revocation_secret, users.external_id, users.metadata,
  users.given_name, users.family_name, users.phone_number, users.phone_number_verified, users.picture, users.gender, users.locale, users.preferred_username, users.groups,
  users.custom_attributes, users.profile_metadata, users.created_at, users.updated_at, users.last_login_at`;

function fromRow(row: Row): User {
  return {
    id: row.id,
    email: row.email,
    emailKey: row.email_key,
    emailVerified: row.email_verified,
    name: row.name,
    enabled: row.enabled,
    revocationSecret: row.revocation_secret,
    externalId: row.external_id ?? undefined,
    metadata: row.metadata,
    givenName: row.given_name,
    familyName: row.family_name,
    phoneNumber: row.phone_number,
    phoneNumberVerified: row.phone_number_verified,
    picture: row.picture,
    gender: row.gender,
    locale: row.locale,
    preferredUsername: row.preferred_username,
    groups: row.groups,
    customAttributes: row.custom_attributes,
    profileMetadata: row.profile_metadata,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastLoginAt: row.last_login_at ?? undefined,
  };
}

const named = (key: UserKey): Sql =>
  'id' in key ? sql`users.id = ${key.id}` : sql`users.external_id = ${key.externalId}`;

/** A person by either name. */
export async function findUserBy(
  db: Db,
  by: { environmentId: string; key: UserKey },
): Promise<User | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from users where environment_id = ${by.environmentId} and ${named(by.key)}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The person, whom nobody else changes or deletes until the transaction ends. */
export async function lockUser(
  db: Db,
  by: { environmentId: string; key: UserKey },
): Promise<User | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from users where environment_id = ${by.environmentId} and ${named(by.key)} for no key update`,
  );
  return rows[0] && fromRow(rows[0]);
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

/**
 * Notes a sign-in that somebody else vouches for, with the address they named. Links of invitations that went to another address
 * end: whoever has one proves that address, and not the new one.
 */
export async function noteSignIn(
  db: Db,
  by: { environmentId: string; id: string; email: string; emailVerified: boolean; now: Date },
): Promise<void> {
  await db.rows(sql`
    with dead as (
      delete from invitation_links l using users u join memberships m on m.environment_id = u.environment_id and m.user_id = u.id
       where u.environment_id = ${by.environmentId} and u.id = ${by.id} and u.email <> ${by.email}
         and l.environment_id = m.environment_id and l.organization_id = m.organization_id and l.user_id = m.user_id
    )
    update users set email = ${by.email}, email_verified_at = case when ${by.emailVerified}::boolean then coalesce(email_verified_at, ${by.now}) end, last_login_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id}`);
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

/**
 * Adds a person of whom an application tells.
 *
 * @throws unique violation on `users_by_email`, `users_by_external_id` or the id
 */
export async function insertTold(
  db: Db,
  by: {
    environmentId: string;
    id: string;
    email: string;
    emailKey: string;
    /** The application vouches for the address. */
    verified: boolean;
    members: UserMembers;
    revocationSecret: Uint8Array;
    now: Date;
  },
): Promise<User> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    insert into users (environment_id, id, email, email_key, email_verified_at, name, revocation_secret, external_id, metadata, given_name, family_name, phone_number, picture, gender, locale,
      preferred_username, groups, custom_attributes, profile_metadata, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${by.email}, ${by.emailKey}, ${by.verified ? by.now : undefined}, ${m.name}, ${by.revocationSecret}, ${m.externalId}, ${json(m.metadata)}, ${m.givenName},
      ${m.familyName}, ${m.phoneNumber}, ${m.picture}, ${m.gender}, ${m.locale}, ${m.preferredUsername}, ${m.groups}, ${json(m.customAttributes)}, ${json(m.profileMetadata)}, ${by.now}, ${by.now})
    returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the person was not written');
  return fromRow(row);
}

/**
 * Writes all members of a person who is locked. A new telephone number is not a verified one.
 *
 * @throws unique violation on `users_by_external_id`
 */
export async function updateUser(
  db: Db,
  by: { environmentId: string; id: string; members: UserMembers; now: Date },
): Promise<User> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    update users set external_id = ${m.externalId}, metadata = ${json(m.metadata)}, name = ${m.name}, given_name = ${m.givenName}, family_name = ${m.familyName},
      phone_number_verified = phone_number_verified and phone_number = ${m.phoneNumber}, phone_number = ${m.phoneNumber}, picture = ${m.picture}, gender = ${m.gender}, locale = ${m.locale},
      preferred_username = ${m.preferredUsername}, groups = ${m.groups}, custom_attributes = ${json(m.customAttributes)}, profile_metadata = ${json(m.profileMetadata)},
      updated_at = ${by.now}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`person ${by.id} was not locked`);
  return fromRow(row);
}

/** Notes that the person can read mail sent to their address; with `signedIn`, that they came in by it just now. */
export async function verifyEmail(
  db: Db,
  by: { environmentId: string; id: string; now: Date; signedIn: boolean },
): Promise<User | undefined> {
  const rows = await db.rows<Row>(sql`
    update users set email_verified_at = coalesce(email_verified_at, ${by.now}),
      last_login_at = case when ${by.signedIn}::boolean then ${by.now} else last_login_at end, updated_at = ${by.now}, row_version = row_version + 1
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** What a list is about: everybody, the members of one organization, or those of them whose address or ids have a text in them. */
export type UserFilter = {
  readonly organizationId?: string | undefined;
  /** Three characters at least. */
  readonly text?: string | undefined;
};

function matching(environmentId: string, { organizationId, text }: UserFilter): Sql {
  const own =
    organizationId === undefined
      ? sql`from users where users.environment_id = ${environmentId}`
      : sql`from memberships m join users on users.environment_id = m.environment_id and users.id = m.user_id
             where m.environment_id = ${environmentId} and m.organization_id = ${organizationId}`;
  if (text === undefined) return own;
  // The index finds rows that have all the pieces, in any order. First comes what is cheaper for a scan without it.
  return sql`${own} and strpos(users.search_text, lower(${text})) > 0 and users.search_parts @> search_keys_of(lower(${text}))`;
}

/** Newest first. */
export async function listUserPage(
  db: Db,
  by: { environmentId: string; filter: UserFilter; page: PageQuery },
): Promise<User[]> {
  const id = by.filter.organizationId === undefined ? sql`users.id` : sql`m.user_id`;
  const rows = await db.rows<Row>(
    sql`select ${columns} ${matching(by.environmentId, by.filter)} ${inPage(id, by.page)}`,
  );
  return rows.map(fromRow);
}

/** How far a search counts: nobody pages through more, and the count of a short text would look at everybody. */
const MOST_COUNTED = 10_000;

/** All people of a list; of a search no more than ten thousand. */
export async function countUsers(
  db: Db,
  by: { environmentId: string; filter: UserFilter },
): Promise<number> {
  const { environmentId, filter } = by;
  const query =
    filter.text !== undefined
      ? sql`select count(*) as count from (select 1 ${matching(environmentId, filter)} limit ${MOST_COUNTED}) found`
      : filter.organizationId === undefined
        ? rowCount(environmentId, 'users')
        : sql`select count(*) as count from memberships where environment_id = ${environmentId} and organization_id = ${filter.organizationId}`;
  const rows = await db.rows<{ count: bigint }>(query);
  return Number(rows[0]?.count ?? 0n);
}
