import { type Db, sql } from '../storage/db.ts';

/** A mail as stored: texts are encrypted. */
export type MailRow = {
  readonly environmentId: string;
  readonly id: string;
  readonly recipient: string;
  readonly subject: Uint8Array;
  readonly text: Uint8Array;
  readonly html: Uint8Array;
  readonly code: Uint8Array | undefined;
  readonly link: Uint8Array | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly attempts: number;
};

type Row = {
  environment_id: string;
  id: string;
  recipient: string;
  subject: Uint8Array;
  text_body: Uint8Array;
  html_body: Uint8Array;
  code: Uint8Array | null;
  link: Uint8Array | null;
  created_at: Date;
  expires_at: Date;
  attempts: number;
};

const columns = sql`environment_id, id, recipient, subject, text_body, html_body, code, link, created_at, expires_at, attempts`;

function fromRow(row: Row): MailRow {
  return {
    environmentId: row.environment_id,
    id: row.id,
    recipient: row.recipient,
    subject: row.subject,
    text: row.text_body,
    html: row.html_body,
    code: row.code ?? undefined,
    link: row.link ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    attempts: row.attempts,
  };
}

/**
 * Adds a mail, or with `send` false does all but that: who watches the clock must not learn which addresses get mail.
 *
 * @returns false when the id is taken
 */
export async function insertMail(
  db: Db,
  mail: Omit<MailRow, 'attempts'> & { send: boolean },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into mails (environment_id, id, recipient, subject, text_body, html_body, code, link, created_at, next_attempt_at, expires_at)
    select ${mail.environmentId}::text, ${mail.id}::text, ${mail.recipient}::text, ${mail.subject}::bytea, ${mail.text}::bytea, ${mail.html}::bytea,
      ${mail.code}::bytea, ${mail.link}::bytea, ${mail.createdAt}::timestamptz, ${mail.createdAt}::timestamptz, ${mail.expiresAt}::timestamptz
     where ${mail.send}::boolean
    on conflict (environment_id, id) do nothing
    returning id`);
  return rows.length === 1 || !mail.send;
}

/**
 * Takes mails that are due and keeps other processes off them until `leaseUntil`. `everywhere` are those of all environments,
 * otherwise of those with a mail server of their own.
 */
export async function claimMails(
  db: Db,
  by: { now: Date; leaseUntil: Date; limit: number; everywhere: boolean },
): Promise<MailRow[]> {
  const only = by.everywhere
    ? sql``
    : sql`and environment_id in (select environment_id from email_servers where enabled)`;
  const rows = await db.rows<Row>(sql`
    update mails set attempts = attempts + 1, next_attempt_at = ${by.leaseUntil}
     where (environment_id, id) in (
       select environment_id, id from mails where sent_at is null and next_attempt_at <= ${by.now} and expires_at > ${by.now} ${only}
        order by next_attempt_at limit ${by.limit} for update skip locked)
    returning ${columns}`);
  return rows.map(fromRow);
}

/** Sent. With `forget` the texts go: outside of development nobody reads them again. */
export async function markSent(
  db: Db,
  by: { environmentId: string; id: string; now: Date; forget: boolean },
): Promise<void> {
  await db.rows(sql`
    update mails set sent_at = ${by.now}, next_attempt_at = null, last_error = null,
      subject = case when ${by.forget} then ''::bytea else subject end, text_body = case when ${by.forget} then ''::bytea else text_body end,
      html_body = case when ${by.forget} then ''::bytea else html_body end
     where environment_id = ${by.environmentId} and id = ${by.id} and sent_at is null`);
}

/** Not sent; tried again at that time, or never. */
export async function markFailed(
  db: Db,
  by: { environmentId: string; id: string; error: string; nextAttemptAt: Date | undefined },
): Promise<void> {
  await db.rows(sql`
    update mails set last_error = ${by.error}, next_attempt_at = ${by.nextAttemptAt}
     where environment_id = ${by.environmentId} and id = ${by.id} and sent_at is null`);
}

/** The newest mails of an environment, newest first. */
export async function listMails(
  db: Db,
  by: { environmentId: string; recipient: string | undefined; limit: number },
): Promise<MailRow[]> {
  const only =
    by.recipient === undefined ? sql`` : sql`and lower(recipient) = lower(${by.recipient})`;
  const rows = await db.rows<Row>(
    sql`select ${columns} from mails where environment_id = ${by.environmentId} ${only} order by created_at desc, id desc limit ${by.limit}`,
  );
  return rows.map(fromRow);
}

/** Removes mails that ended before a moment, of all environments. */
export async function deleteMailsExpiredBefore(db: Db, moment: Date): Promise<number> {
  const rows = await db.rows(sql`delete from mails where expires_at < ${moment} returning id`);
  return rows.length;
}

/** Mails still waiting, of all environments. */
export async function countWaiting(db: Db, now: Date): Promise<number> {
  const rows = await db.rows<{ count: number }>(
    sql`select count(*)::int as count from mails where sent_at is null and next_attempt_at is not null and expires_at > ${now}`,
  );
  return rows[0]?.count ?? 0;
}
