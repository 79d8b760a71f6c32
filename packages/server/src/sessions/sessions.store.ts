import { type Db, json, sql } from '../storage/db.ts';

/** How somebody proved who they are. */
export type SignInMethod = 'email-code' | 'email-link' | 'test-user' | 'own-sign-in';

/** A live session of an enabled person. */
export type Session = {
  readonly id: string;
  readonly userId: string;
  readonly browserHash: Uint8Array;
  readonly method: string;
  /** When the person last proved who they are: `auth_time`. */
  readonly authenticatedAt: Date;
  readonly lastActiveAt: Date;
  readonly email: string;
  readonly name: string;
  /** The connection of an MCP server that the person signed in through, which the session is good for alone. */
  readonly connectionId: string | undefined;
};

type Row = {
  id: string;
  token_hash: Uint8Array;
  user_id: string;
  browser_hash: Uint8Array;
  method: string;
  authenticated_at: Date;
  last_active_at: Date;
  email: string;
  name: string;
  connection_id: string | null;
};

export type FoundSession = { readonly session: Session; readonly tokenHash: Uint8Array };

function fromRow(row: Row): FoundSession {
  return {
    tokenHash: row.token_hash,
    session: {
      id: row.id,
      userId: row.user_id,
      browserHash: row.browser_hash,
      method: row.method,
      authenticatedAt: row.authenticated_at,
      lastActiveAt: row.last_active_at,
      email: row.email,
      name: row.name,
      connectionId: row.connection_id ?? undefined,
    },
  };
}

/** Those of these tokens that are live, in this browser, and belong to enabled people. */
export async function findSessions(
  db: Db,
  by: {
    environmentId: string;
    tokenHashes: readonly Uint8Array[];
    browserHash: Uint8Array;
    now: Date;
  },
): Promise<FoundSession[]> {
  const rows = await db.rows<Row>(sql`
    select s.id, s.token_hash, s.user_id, s.browser_hash, s.method, s.authenticated_at, s.last_active_at, s.connection_id, u.email, u.name
      from sessions s join users u on u.environment_id = s.environment_id and u.id = s.user_id and u.enabled
     where s.environment_id = ${by.environmentId} and s.token_hash = any(${by.tokenHashes}::bytea[]) and s.browser_hash = ${by.browserHash}
       and s.ended_at is null and s.idle_expires_at > ${by.now} and s.absolute_expires_at > ${by.now}`);
  return rows.map(fromRow);
}

export type NewSession = {
  environmentId: string;
  id: string;
  tokenHash: Uint8Array;
  browserHash: Uint8Array;
  userId: string;
  method: SignInMethod;
  now: Date;
  /** Absent: being idle ends nothing. */
  idleSeconds: number | undefined;
  idleExpiresAt: Date;
  absoluteExpiresAt: Date;
  /** The organization it is open in. */
  organizationId: string | undefined;
  /** The connection of an MCP server that the person signed in through. */
  connectionId: string | undefined;
  address: string;
  userAgent: string;
};

/** False when the id is taken: the caller tries another. */
export async function insertSession(db: Db, session: NewSession): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at,
      idle_seconds, idle_expires_at, absolute_expires_at, organization_id, authenticated_organizations, connection_id, address, user_agent)
    values (${session.environmentId}, ${session.id}, ${session.tokenHash}, ${session.browserHash}, ${session.userId}, ${session.method}, ${session.now},
      ${session.now}, ${session.now}, ${session.idleSeconds}, ${session.idleExpiresAt}, ${session.absoluteExpiresAt}, ${session.organizationId},
      ${session.organizationId === undefined ? [] : [session.organizationId]}::text[], ${session.connectionId}, ${session.address}, ${session.userAgent})
    on conflict (environment_id, id) do nothing
    returning id`);
  return rows.length === 1;
}

export type Renewal = Omit<NewSession, 'browserHash' | 'userId' | 'connectionId'> & {
  oldTokenHash: Uint8Array;
};

/** The person of a session proved it again: new token, new times, same id. False when the old token is no longer the session's. */
export async function renewSession(db: Db, by: Renewal): Promise<boolean> {
  const rows = await db.rows(sql`
    update sessions set token_hash = ${by.tokenHash}, method = ${by.method}, authenticated_at = ${by.now}, last_active_at = ${by.now},
      idle_seconds = ${by.idleSeconds}, idle_expires_at = ${by.idleExpiresAt}, absolute_expires_at = ${by.absoluteExpiresAt},
      organization_id = coalesce(organization_id, ${by.organizationId}), authenticated_organizations = case when ${by.organizationId}::text is null
        or ${by.organizationId} = any(authenticated_organizations) then authenticated_organizations else authenticated_organizations || ${by.organizationId}::text end, custom_claims = null, address = ${by.address}, user_agent = ${by.userAgent}
     where environment_id = ${by.environmentId} and id = ${by.id} and token_hash = ${by.oldTokenHash} and ended_at is null
    returning id`);
  return rows.length === 1;
}

/** What the tokens of a session say besides; a new sign-in forgets it. */
export async function setCustomClaims(
  db: Db,
  by: { environmentId: string; id: string; claims: Readonly<Record<string, unknown>> },
): Promise<void> {
  await db.rows(
    sql`update sessions set custom_claims = ${json(by.claims)} where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
}

/** Opens a session that is open in no organization in one; another stays where it is. False when it is over. */
export async function openSessionIn(
  db: Db,
  by: { environmentId: string; id: string; organizationId: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    update sessions set organization_id = coalesce(organization_id, ${by.organizationId}),
      authenticated_organizations = case when organization_id is null then authenticated_organizations || ${by.organizationId}::text else authenticated_organizations end
     where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null
    returning id`);
  return rows.length === 1;
}

/** Gives a session another token. False when the old one is no longer the session's. */
export async function replaceToken(
  db: Db,
  by: { environmentId: string; id: string; oldTokenHash: Uint8Array; tokenHash: Uint8Array },
): Promise<boolean> {
  const rows = await db.rows(sql`
    update sessions set token_hash = ${by.tokenHash}
     where environment_id = ${by.environmentId} and id = ${by.id} and token_hash = ${by.oldTokenHash} and ended_at is null
    returning id`);
  return rows.length === 1;
}

/** Use keeps a session alive, up to its absolute end: by the idle time that was its policy when it began. */
export async function touchSession(
  db: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<void> {
  await db.rows(sql`
    update sessions set last_active_at = ${by.now},
      idle_expires_at = case when idle_seconds is null then absolute_expires_at else ${by.now}::timestamptz + make_interval(secs => idle_seconds) end
     where environment_id = ${by.environmentId} and id = ${by.id} and ended_at is null and last_active_at < ${by.now}`);
}

/** Whether somebody with this address has ever signed in in this browser. */
export async function hasSignedInHere(
  db: Db,
  by: { environmentId: string; browserHash: Uint8Array; emailKey: string },
): Promise<boolean> {
  const rows = await db.rows<{ known: boolean }>(sql`
    select exists (select 1 from sessions s join users u on u.environment_id = s.environment_id and u.id = s.user_id
      where s.environment_id = ${by.environmentId} and s.browser_hash = ${by.browserHash} and u.email_key = ${by.emailKey}) as known`);
  return rows[0]?.known === true;
}
