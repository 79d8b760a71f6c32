import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** How a session stands. `logout`: its person ended it; `revoked`: anybody else did. */
export type SessionStatus = 'active' | 'expired' | 'revoked' | 'logout';

/** A session as it is told of, live or not. */
export type SessionRecord = {
  readonly id: string;
  readonly userId: string;
  /** The organization it is open in. */
  readonly organizationId: string | undefined;
  readonly authenticatedOrganizations: readonly string[];
  /** Clients that got codes in it. */
  readonly authenticatedClients: readonly AuthenticatedClient[];
  readonly createdAt: Date;
  readonly lastActiveAt: Date;
  readonly idleExpiresAt: Date;
  readonly absoluteExpiresAt: Date;
  readonly endedAt: Date | undefined;
  readonly endedBecause: string | undefined;
  readonly address: string;
  readonly userAgent: string;
};

export type AuthenticatedClient = {
  readonly client_id: string;
  readonly organization_id?: string | undefined;
};

type Row = {
  id: string;
  user_id: string;
  organization_id: string | null;
  authenticated_organizations: string[];
  authenticated_clients: AuthenticatedClient[];
  created_at: Date;
  last_active_at: Date;
  idle_expires_at: Date;
  absolute_expires_at: Date;
  ended_at: Date | null;
  ended_because: string | null;
  address: string | null;
  user_agent: string | null;
};

const columns = sql`s.id, s.user_id, s.organization_id, s.authenticated_organizations, s.authenticated_clients, s.created_at, s.last_active_at, s.idle_expires_at,
  s.absolute_expires_at, s.ended_at, s.ended_because, s.address, s.user_agent`;

/** Reasons that are the person's own. All other endings are revocations. */
export const BY_THE_PERSON: readonly string[] = ['signed-out'];

function fromRow(row: Row): SessionRecord {
  return {
    id: row.id,
    userId: row.user_id,
    organizationId: row.organization_id ?? undefined,
    authenticatedOrganizations: row.authenticated_organizations,
    authenticatedClients: row.authenticated_clients,
    createdAt: row.created_at,
    lastActiveAt: row.last_active_at,
    idleExpiresAt: row.idle_expires_at,
    absoluteExpiresAt: row.absolute_expires_at,
    endedAt: row.ended_at ?? undefined,
    endedBecause: row.ended_because ?? undefined,
    address: row.address ?? '',
    userAgent: row.user_agent ?? '',
  };
}

export async function findSessionRecord(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<SessionRecord | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from sessions s where s.environment_id = ${by.environmentId} and s.id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export type SessionFilter = {
  environmentId: string;
  userId: string;
  /** Empty: all. */
  statuses: readonly SessionStatus[];
  /** Made at this moment or later. */
  from: Date | undefined;
  /** Made before this moment. */
  until: Date | undefined;
  now: Date;
};

/** Sessions of one person, newest first. */
export async function listSessionPage(
  db: Db,
  by: SessionFilter & { page: PageQuery },
): Promise<SessionRecord[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from sessions s where ${matching(by)} ${inPage(sql`s.id`, by.page)}`,
  );
  return rows.map(fromRow);
}

/** How many there are; undefined when there is no such person. */
export async function countSessions(db: Db, by: SessionFilter): Promise<number | undefined> {
  const rows = await db.rows<{ count: number }>(sql`
    select (select count(*)::int from sessions s where ${matching(by)}) as count
      from users u where u.environment_id = ${by.environmentId} and u.id = ${by.userId}`);
  return rows[0]?.count;
}

function matching(by: SessionFilter): Sql {
  return sql`s.environment_id = ${by.environmentId} and s.user_id = ${by.userId}
    and (${by.from}::timestamptz is null or s.created_at >= ${by.from}) and (${by.until}::timestamptz is null or s.created_at < ${by.until})
    and (${by.statuses.length === 0} or ${statusSql(by.now)} = any(${by.statuses}::text[]))`;
}

function statusSql(now: Date): Sql {
  return sql`case when s.ended_at is not null then case when s.ended_because = any(${BY_THE_PERSON}::text[]) then 'logout' else 'revoked' end
    when s.idle_expires_at <= ${now} or s.absolute_expires_at <= ${now} then 'expired' else 'active' end`;
}

/** Some sessions, or all of one person's. */
export type Sessions =
  | {
      readonly ids: readonly string[];
      /** Only if they are this person's. */
      readonly ownerId?: string | undefined;
    }
  | { readonly userId: string };

type Ending = { environmentId: string; because: string; now: Date };

/** Ends sessions that are active, and only those: of parallel callers one gets a session. Newest first. */
export async function endActiveSessions(db: Db, by: Ending & Sessions): Promise<SessionRecord[]> {
  const which =
    'ids' in by
      ? sql`s.id = any(${by.ids}::text[]) and (${by.ownerId}::text is null or s.user_id = ${by.ownerId})`
      : sql`s.user_id = ${by.userId}`;
  const rows = await db.rows<Row>(sql`
    update sessions s set ended_at = ${by.now}, ended_because = ${by.because}
     where s.environment_id = ${by.environmentId} and ${which} and s.ended_at is null and s.idle_expires_at > ${by.now} and s.absolute_expires_at > ${by.now}
    returning ${columns}`);
  return rows.map(fromRow).sort((one, other) => (one.id < other.id ? 1 : -1));
}
