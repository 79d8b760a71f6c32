import { type Db, sql } from '../storage/db.ts';

export const SERVER_PROVIDERS = ['SENDGRID', 'POSTMARK', 'OTHER'] as const;
export type ServerProvider = (typeof SERVER_PROVIDERS)[number];

/** What a change of a mail server may touch, besides its password. */
export type EmailServerMembers = {
  readonly provider: ServerProvider;
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly fromEmail: string;
  readonly fromName: string;
};

/** A mail server of an environment. */
export type EmailServer = EmailServerMembers & {
  readonly environmentId: string;
  readonly id: string;
  readonly enabled: boolean;
  /** Encrypted. */
  readonly password: Uint8Array;
  readonly updatedAt: Date;
};

type Row = {
  environment_id: string;
  id: string;
  provider: ServerProvider;
  enabled: boolean;
  host: string;
  port: number;
  username: string;
  password: Uint8Array;
  from_email: string;
  from_name: string;
  updated_at: Date;
};

const columns = sql`environment_id, id, provider, enabled, host, port, username, password, from_email, from_name, updated_at`;

const fromRow = (row: Row): EmailServer => ({
  environmentId: row.environment_id,
  id: row.id,
  provider: row.provider,
  enabled: row.enabled,
  host: row.host,
  port: row.port,
  username: row.username,
  password: row.password,
  fromEmail: row.from_email,
  fromName: row.from_name,
  updatedAt: row.updated_at,
});

type Key = { readonly environmentId: string; readonly id: string };

/** Lets nobody else change mail servers of the environment until the transaction ends, and counts them. */
export async function countLocked(db: Db, environmentId: string): Promise<number> {
  await db.rows(sql`select id from environments where id = ${environmentId} for no key update`);
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from email_servers where environment_id = ${environmentId}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** @throws unique violation on the id */
export async function insertServer(
  db: Db,
  by: Key & {
    readonly members: EmailServerMembers;
    readonly password: Uint8Array;
    readonly now: Date;
  },
): Promise<EmailServer> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    insert into email_servers (environment_id, id, provider, host, port, username, password, from_email, from_name, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${m.provider}, ${m.host}, ${m.port}, ${m.username}, ${by.password}, ${m.fromEmail}, ${m.fromName}, ${by.now}, ${by.now}) returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the mail server was not written');
  return fromRow(row);
}

export async function findServer(db: Db, key: Key): Promise<EmailServer | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from email_servers where environment_id = ${key.environmentId} and id = ${key.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Newest first. */
export async function listServers(db: Db, environmentId: string): Promise<EmailServer[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from email_servers where environment_id = ${environmentId} order by id desc`,
  );
  return rows.map(fromRow);
}

/** Writes all members of a mail server, and a password if one is given. */
export async function updateServer(
  db: Db,
  by: Key & {
    readonly members: EmailServerMembers;
    readonly password: Uint8Array | undefined;
    readonly now: Date;
  },
): Promise<EmailServer> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    update email_servers set provider = ${m.provider}, host = ${m.host}, port = ${m.port}, username = ${m.username}, from_email = ${m.fromEmail}, from_name = ${m.fromName},
      password = coalesce(${by.password}::bytea, password), updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`mail server ${by.id} was not locked`);
  return fromRow(row);
}

/** Makes the one of this id deliver, or without an id none. The id of the one that did before. */
export async function switchServer(
  db: Db,
  by: { readonly environmentId: string; readonly id: string | undefined; readonly now: Date },
): Promise<string | undefined> {
  const rows = await db.rows<{ id: string }>(sql`
    update email_servers set enabled = false, updated_at = ${by.now} where environment_id = ${by.environmentId} and enabled returning id`);
  if (by.id !== undefined)
    await db.rows(
      sql`update email_servers set enabled = true, updated_at = ${by.now} where environment_id = ${by.environmentId} and id = ${by.id}`,
    );
  return rows[0]?.id;
}

export async function deleteServer(db: Db, key: Key): Promise<EmailServer | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from email_servers where environment_id = ${key.environmentId} and id = ${key.id} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** How mails of an environment go out. */
export type Delivery = {
  readonly environmentId: string;
  /** Absent: the server of the configuration. */
  readonly server?: EmailServer | undefined;
  readonly defaultFromName?: string | undefined;
};

export async function listDeliveries(
  db: Db,
  environmentIds: readonly string[],
): Promise<Delivery[]> {
  const rows = await db.rows<
    Row & { of_environment: string; default_from_name: string | null }
  >(sql`
    select e.id as of_environment, t.default_from_name, s.environment_id, s.id, s.provider, s.enabled, s.host, s.port, s.username, s.password, s.from_email, s.from_name, s.updated_at
      from environments e
      left join email_servers s on s.environment_id = e.id and s.enabled
      left join email_settings t on t.environment_id = e.id
     where e.id = any(${environmentIds})`);
  return rows.map((row) => ({
    environmentId: row.of_environment,
    // Of an environment without a server, all its columns are null.
    server: row.id === null ? undefined : fromRow(row),
    defaultFromName: row.default_from_name || undefined,
  }));
}

/** Whether that is news. */
export async function writeDefaultFromName(
  db: Db,
  by: { readonly environmentId: string; readonly name: string; readonly now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into email_settings as t (environment_id, default_from_name, updated_at) values (${by.environmentId}, ${by.name}, ${by.now})
    on conflict (environment_id) do update set default_from_name = excluded.default_from_name, updated_at = excluded.updated_at
     where t.default_from_name <> excluded.default_from_name returning environment_id`);
  return rows.length > 0;
}
