import { type Db, sql } from '../storage/db.ts';

/** What the page says about the last try, when it is read again. */
export type LastOutcome = 'wrong' | 'older' | 'budget' | 'wait' | 'resent';

export type SignInCode = {
  readonly id: string;
  readonly loginRequestId: string;
  readonly browserHash: Uint8Array;
  readonly email: string;
  readonly emailKey: string;
  readonly displayName: string;
  readonly codeMac: Uint8Array;
  readonly pairingCodeSealed: Uint8Array | undefined;
  readonly attempts: number;
  readonly lastOutcome: LastOutcome | undefined;
  readonly waitUntil: Date | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** Used, replaced by a newer one, or "I didn't ask for this". */
  readonly over: boolean;
  readonly usedAt: Date | undefined;
  readonly userAgent: string;
};

type Row = {
  id: string;
  login_request_id: string;
  browser_hash: Uint8Array;
  email: string;
  email_key: string;
  display_name: string;
  code_mac: Uint8Array;
  pairing_code_sealed: Uint8Array | null;
  attempts: number;
  last_outcome: LastOutcome | null;
  wait_until: Date | null;
  created_at: Date;
  expires_at: Date;
  used_at: Date | null;
  superseded_at: Date | null;
  refused_at: Date | null;
  user_agent: string | null;
};

const columns = sql`id, login_request_id, browser_hash, email, email_key, display_name, code_mac, pairing_code_sealed, attempts, last_outcome,
  wait_until, created_at, expires_at, used_at, superseded_at, refused_at, user_agent`;

function fromRow(row: Row): SignInCode {
  return {
    id: row.id,
    loginRequestId: row.login_request_id,
    browserHash: row.browser_hash,
    email: row.email,
    emailKey: row.email_key,
    displayName: row.display_name,
    codeMac: row.code_mac,
    pairingCodeSealed: row.pairing_code_sealed ?? undefined,
    attempts: row.attempts,
    lastOutcome: row.last_outcome ?? undefined,
    waitUntil: row.wait_until ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    over: row.used_at !== null || row.superseded_at !== null || row.refused_at !== null,
    usedAt: row.used_at ?? undefined,
    userAgent: row.user_agent ?? '',
  };
}

/** Tries that one code has (AS-147). */
export const TRIES_PER_CODE = 5;

export type NewCode = {
  environmentId: string;
  id: string;
  loginRequestId: string;
  browserHash: Uint8Array;
  email: string;
  emailKey: string;
  displayName: string;
  codeMac: Uint8Array;
  linkHash: Uint8Array;
  pairingCodeSealed: Uint8Array;
  sent: boolean;
  lastOutcome: LastOutcome | undefined;
  waitUntil: Date | undefined;
  now: Date;
  expiresAt: Date;
  address: string;
  userAgent: string;
};

/** Adds the one code of a request that works; the older ones end. The caller holds the request's row lock. */
export async function replaceCode(tx: Db, code: NewCode): Promise<void> {
  await endCodes(tx, code);
  await tx.rows(sql`
    insert into sign_in_codes (environment_id, id, login_request_id, browser_hash, email, email_key, display_name, code_mac, link_hash,
      pairing_code_sealed, sent, last_outcome, wait_until, created_at, expires_at, address, user_agent)
    values (${code.environmentId}, ${code.id}, ${code.loginRequestId}, ${code.browserHash}, ${code.email}, ${code.emailKey}, ${code.displayName},
      ${code.codeMac}, ${code.linkHash}, ${code.pairingCodeSealed}, ${code.sent}, ${code.lastOutcome}, ${code.waitUntil}, ${code.now}, ${code.expiresAt},
      ${code.address}, ${code.userAgent})`);
}

/** Ends the codes of a request: somebody chose another way on. */
export async function endCodes(
  db: Db,
  by: { environmentId: string; loginRequestId: string; now: Date },
): Promise<void> {
  await db.rows(sql`
    update sign_in_codes set superseded_at = ${by.now}
     where environment_id = ${by.environmentId} and login_request_id = ${by.loginRequestId} and superseded_at is null`);
}

type OfRequest = { environmentId: string; loginRequestId: string };

/** The code of a request that was made last, whatever became of it. */
export async function findNewestCode(db: Db, by: OfRequest): Promise<SignInCode | undefined> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from sign_in_codes
     where environment_id = ${by.environmentId} and login_request_id = ${by.loginRequestId} and superseded_at is null
     order by created_at desc, id desc limit 1`);
  return rows[0] && fromRow(rows[0]);
}

/** The older codes of a request: telling a person that theirs is one of them helps nobody else. */
export async function findOlderCodes(db: Db, by: OfRequest): Promise<SignInCode[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from sign_in_codes
     where environment_id = ${by.environmentId} and login_request_id = ${by.loginRequestId} and superseded_at is not null
     order by created_at desc limit 20`);
  return rows.map(fromRow);
}

/** Counts one try. Nothing is compared without a row from here: of any number of parallel tries at most five get one. */
export async function countTry(
  db: Db,
  by: OfRequest & { id: string; now: Date },
): Promise<SignInCode | undefined> {
  const rows = await db.rows<Row>(sql`
    update sign_in_codes set attempts = attempts + 1, last_outcome = 'wrong', wait_until = null
     where environment_id = ${by.environmentId} and id = ${by.id} and login_request_id = ${by.loginRequestId} and attempts < ${TRIES_PER_CODE}
       and expires_at > ${by.now} and used_at is null and superseded_at is null and refused_at is null
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Says what the page shows; tries and times stay. */
export async function noteOutcome(
  db: Db,
  by: {
    environmentId: string;
    id: string;
    outcome: LastOutcome;
    waitUntil?: Date | undefined;
  },
): Promise<void> {
  await db.rows(sql`
    update sign_in_codes set last_outcome = ${by.outcome}, wait_until = ${by.waitUntil}
     where environment_id = ${by.environmentId} and id = ${by.id} and used_at is null`);
}

/** Uses a code or link up, if it and its request are alive: of parallel callers exactly one gets true. */
export async function useCode(
  tx: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<boolean> {
  const rows = await tx.rows(sql`
    update sign_in_codes c set used_at = ${by.now}
     where c.environment_id = ${by.environmentId} and c.id = ${by.id} and c.used_at is null and c.superseded_at is null and c.refused_at is null
       and c.expires_at > ${by.now}
       and exists (select 1 from login_requests l where l.environment_id = c.environment_id and l.id = c.login_request_id
         and l.ended_at is null and l.expires_at > ${by.now})
    returning c.id`);
  return rows.length === 1;
}

/** "I didn't ask for this." False when there was nothing left to refuse. */
export async function refuseCode(
  tx: Db,
  by: { environmentId: string; id: string; now: Date },
): Promise<boolean> {
  const rows = await tx.rows(sql`
    update sign_in_codes set refused_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} and used_at is null and refused_at is null
    returning id`);
  return rows.length === 1;
}

export async function findCodeByLink(
  db: Db,
  by: { environmentId: string; linkHash: Uint8Array },
): Promise<SignInCode | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from sign_in_codes where environment_id = ${by.environmentId} and link_hash = ${by.linkHash}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Forgets codes that ended before a moment, of all environments. */
export async function deleteCodesExpiredBefore(db: Db, moment: Date): Promise<void> {
  await db.rows(sql`delete from sign_in_codes where expires_at < ${moment}`);
}
