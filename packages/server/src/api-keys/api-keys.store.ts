import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** A key as answers show it, with what it stands for at this moment. */
export type ApiKey = {
  readonly id: string;
  readonly organizationId: string;
  readonly organizationExternalId: string | undefined;
  readonly suffix: string;
  readonly description: string;
  readonly customClaims: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
  /** Absent: the organization's own key. */
  readonly user: KeyHolder | undefined;
};

export type KeyHolder = {
  readonly id: string;
  readonly externalId: string | undefined;
  readonly email: string;
  /** Names, sorted. */
  readonly roles: readonly string[];
};

/** A key by its id, or by the SHA-256 of the key itself. */
export type ApiKeyName = { readonly id: string } | { readonly hash: Uint8Array };

type Row = {
  id: string;
  organization_id: string;
  organization_external_id: string | null;
  suffix: string;
  description: string;
  custom_claims: Record<string, string>;
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
  user_id: string | null;
  user_external_id: string | null;
  email: string | null;
  roles: string[];
};

function fromRow(row: Row): ApiKey {
  return {
    id: row.id,
    organizationId: row.organization_id,
    organizationExternalId: row.organization_external_id ?? undefined,
    suffix: row.suffix,
    description: row.description,
    customClaims: row.custom_claims,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
    user:
      row.user_id === null
        ? undefined
        : {
            id: row.user_id,
            externalId: row.user_external_id ?? undefined,
            email: row.email ?? '',
            roles: row.roles,
          },
  };
}

const columns = sql`k.id, k.organization_id, o.external_id as organization_external_id, k.suffix, k.description, k.custom_claims, k.created_at, k.expires_at, k.last_used_at,
  k.user_id, u.external_id as user_external_id, u.email,
  array(select r.name from membership_roles mr join roles r on r.environment_id = mr.environment_id and r.id = mr.role_id
     where mr.environment_id = k.environment_id and mr.organization_id = k.organization_id and mr.user_id = k.user_id order by r.name) as roles`;

/** Keys that count: not revoked or expired, and of nobody or of an active member. */
function live(environmentId: string, now: Date): Sql {
  return sql`api_keys k join organizations o on o.environment_id = k.environment_id and o.id = k.organization_id
    left join memberships m on m.environment_id = k.environment_id and m.organization_id = k.organization_id and m.user_id = k.user_id
    left join users u on u.environment_id = m.environment_id and u.id = m.user_id
   where k.environment_id = ${environmentId} and k.revoked_at is null and (k.expires_at is null or k.expires_at > ${now})
     and (k.user_id is null or m.status = 'ACTIVE' and u.enabled)`;
}

function named(name: ApiKeyName): Sql {
  return 'id' in name ? sql`k.id = ${name.id}` : sql`k.key_hash = ${name.hash}`;
}

export type NewApiKey = {
  readonly environmentId: string;
  readonly id: string;
  readonly organizationId: string;
  readonly userId: string | undefined;
  readonly hash: Uint8Array;
  readonly suffix: string;
  readonly description: string;
  readonly customClaims: Readonly<Record<string, string>>;
  readonly expiresAt: Date | undefined;
  readonly now: Date;
};

/**
 * Adds a key. False when there is no such organization, or the person is not an active member of it.
 *
 * @throws unique violation on the id
 */
export async function insertApiKey(db: Db, key: NewApiKey): Promise<boolean> {
  const { environmentId, organizationId, userId } = key;
  const rows = await db.rows(sql`
    insert into api_keys (environment_id, id, organization_id, user_id, key_hash, suffix, description, custom_claims, created_at, updated_at, expires_at)
    select o.environment_id, ${key.id}::text, o.id, ${userId}::text, ${key.hash}::bytea, ${key.suffix}::text, ${key.description}::text, ${json(key.customClaims)}::jsonb,
        ${key.now}::timestamptz, ${key.now}::timestamptz, ${key.expiresAt}::timestamptz
      from organizations o
     where o.environment_id = ${environmentId} and o.id = ${organizationId}
       and (${userId}::text is null or exists (
         select 1 from memberships m join users u on u.environment_id = m.environment_id and u.id = m.user_id
          where m.environment_id = o.environment_id and m.organization_id = o.id and m.user_id = ${userId} and m.status = 'ACTIVE' and u.enabled))
    returning id`);
  return rows.length === 1;
}

/** The key, if it counts. One statement, the same for every name. */
export async function findLiveApiKey(
  db: Db,
  by: { environmentId: string; name: ApiKeyName; now: Date },
): Promise<ApiKey | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from ${live(by.environmentId, by.now)} and ${named(by.name)}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The same, and nobody else changes it until the transaction ends. */
export async function lockLiveApiKey(
  db: Db,
  by: { environmentId: string; name: ApiKeyName; now: Date },
): Promise<ApiKey | undefined> {
  await db.rows(
    sql`select k.id from api_keys k where k.environment_id = ${by.environmentId} and ${named(by.name)} for update`,
  );
  return await findLiveApiKey(db, by);
}

/** Notes that a key is in use. */
export async function markApiKeyUsed(
  db: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<void> {
  await db.rows(
    sql`update api_keys set last_used_at = ${by.now} where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
}

/** Writes what a change may touch of a key that is locked. */
export async function updateApiKey(
  db: Db,
  by: { environmentId: string; id: string; now: Date } & Pick<
    ApiKey,
    'description' | 'customClaims'
  >,
): Promise<void> {
  await db.rows(sql`
    update api_keys set description = ${by.description}, custom_claims = ${json(by.customClaims)}, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id}`);
}

export type Revocation = {
  readonly id: string;
  readonly organizationId: string;
  readonly userId: string | undefined;
  /** It was revoked by this call, not before. */
  readonly fresh: boolean;
};

/** Ends a key, expired ones too. Undefined when there is none of this name. */
export async function revokeApiKey(
  db: Db,
  by: { environmentId: string; name: ApiKeyName; now: Date },
): Promise<Revocation | undefined> {
  // A second call at the same moment waits for the row, and then finds it revoked.
  const rows = await db.rows<{
    id: string;
    organization_id: string;
    user_id: string | null;
    revoked_at: Date | null;
  }>(
    sql`select k.id, k.organization_id, k.user_id, k.revoked_at from api_keys k where k.environment_id = ${by.environmentId} and ${named(by.name)} for update`,
  );
  const row = rows[0];
  if (!row) return undefined;
  if (row.revoked_at === null)
    await db.rows(
      sql`update api_keys set revoked_at = ${by.now}, updated_at = ${by.now} where environment_id = ${by.environmentId} and id = ${row.id}`,
    );
  return {
    id: row.id,
    organizationId: row.organization_id,
    userId: row.user_id ?? undefined,
    fresh: row.revoked_at === null,
  };
}

export type ApiKeyFilter = {
  readonly environmentId: string;
  readonly organizationId: string;
  /** Absent: everybody's, and the organization's own. */
  readonly userId: string | undefined;
  readonly now: Date;
};

function matching(by: ApiKeyFilter): Sql {
  return sql`${live(by.environmentId, by.now)} and k.organization_id = ${by.organizationId}
    ${by.userId === undefined ? sql`` : sql`and k.user_id = ${by.userId}`}`;
}

/** Keys that count, newest first. */
export async function listApiKeyPage(
  db: Db,
  by: ApiKeyFilter & { page: PageQuery },
): Promise<ApiKey[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from ${matching(by)} ${inPage(sql`k.id`, by.page)}`,
  );
  return rows.map(fromRow);
}

export async function countApiKeys(db: Db, by: ApiKeyFilter): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`select count(*) as count from ${matching(by)}`);
  return Number(rows[0]?.count ?? 0n);
}
