import type { ConnectionSettings } from '../sso/connection.ts';
import { type Db, json, sql } from '../storage/db.ts';

export type PasswordlessType = 'OTP' | 'LINK' | 'LINK_OTP';
export type PasswordlessTemplate = 'SIGNIN' | 'SIGNUP';

/** A proof of an e-mail address that an application asked for. */
export type PasswordlessRequest = {
  readonly id: string;
  readonly email: string;
  readonly emailKey: string;
  readonly type: PasswordlessType;
  readonly template: PasswordlessTemplate | undefined;
  readonly magiclinkAuthUri: string | undefined;
  readonly state: string | undefined;
  /** Seconds, as asked for. */
  readonly expiresIn: number;
  readonly templateVariables: Readonly<Record<string, string>>;
  readonly codeMac: Uint8Array | undefined;
  readonly secretsSealed: Uint8Array | undefined;
  /** Different wrong tries. */
  readonly attempts: number;
  readonly lastTryMac: Uint8Array | undefined;
  readonly expiresAt: Date;
  readonly usedAt: Date | undefined;
};

type Row = {
  id: string;
  email: string;
  email_key: string;
  type: PasswordlessType;
  template: PasswordlessTemplate | null;
  magiclink_auth_uri: string | null;
  state: string | null;
  expires_in: number;
  template_variables: Record<string, string>;
  code_mac: Uint8Array | null;
  secrets_sealed: Uint8Array | null;
  attempts: number;
  last_try_mac: Uint8Array | null;
  expires_at: Date;
  used_at: Date | null;
};

const columns = sql`id, email, email_key, type, template, magiclink_auth_uri, state, expires_in, template_variables, code_mac, secrets_sealed, attempts, last_try_mac, expires_at, used_at`;

function fromRow(row: Row): PasswordlessRequest {
  return {
    id: row.id,
    email: row.email,
    emailKey: row.email_key,
    type: row.type,
    template: row.template ?? undefined,
    magiclinkAuthUri: row.magiclink_auth_uri ?? undefined,
    state: row.state ?? undefined,
    expiresIn: row.expires_in,
    templateVariables: row.template_variables,
    codeMac: row.code_mac ?? undefined,
    secretsSealed: row.secrets_sealed ?? undefined,
    attempts: row.attempts,
    lastTryMac: row.last_try_mac ?? undefined,
    expiresAt: row.expires_at,
    usedAt: row.used_at ?? undefined,
  };
}

/** What the environment says of sign-ins by code and link; absent where it never said anything. */
export async function findPasswordlessSettings(
  db: Db,
  environmentId: string,
): Promise<ConnectionSettings | undefined> {
  const rows = await db.rows<{ settings: ConnectionSettings }>(sql`
    select settings from connections where environment_id = ${environmentId} and organization_id is null and type = 'PASSWORDLESS' order by enabled desc, id limit 1`);
  return rows[0]?.settings;
}

/** What of a request is replaced by a new mail with new secrets. */
export type PasswordlessSecrets = {
  readonly codeMac: Uint8Array | undefined;
  readonly linkHash: Uint8Array | undefined;
  /** Only where a later mail repeats them. */
  readonly secretsSealed: Uint8Array | undefined;
  readonly expiresAt: Date;
};

export async function insertPasswordlessRequest(
  db: Db,
  row: { environmentId: string; now: Date } & PasswordlessSecrets &
    Omit<PasswordlessRequest, 'attempts' | 'lastTryMac' | 'usedAt'>,
): Promise<void> {
  await db.rows(sql`
    insert into passwordless_requests (environment_id, id, email, email_key, type, template, magiclink_auth_uri, state, expires_in, template_variables,
      code_mac, link_hash, secrets_sealed, created_at, expires_at)
    values (${row.environmentId}, ${row.id}, ${row.email}, ${row.emailKey}, ${row.type}, ${row.template}, ${row.magiclinkAuthUri}, ${row.state}, ${row.expiresIn},
      ${json(row.templateVariables)}, ${row.codeMac}, ${row.linkHash}, ${row.secretsSealed}, ${row.now}, ${row.expiresAt})`);
}

type ById = { environmentId: string; id: string };

/** The request, which nobody else changes until the transaction ends. */
export async function lockPasswordlessRequest(
  tx: Db,
  by: ById,
): Promise<PasswordlessRequest | undefined> {
  const rows = await tx.rows<Row>(
    sql`select ${columns} from passwordless_requests where environment_id = ${by.environmentId} and id = ${by.id} for update`,
  );
  return rows[0] && fromRow(rows[0]);
}

export async function findPasswordlessByLink(
  db: Db,
  by: { environmentId: string; linkHash: Uint8Array },
): Promise<PasswordlessRequest | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from passwordless_requests where environment_id = ${by.environmentId} and link_hash = ${by.linkHash}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Another mail: with new secrets, or with those of the first one. Tries go on being counted. */
export async function noteAnotherMail(
  tx: Db,
  by: ById & { secrets: PasswordlessSecrets | undefined },
): Promise<void> {
  const { secrets } = by;
  const replaced = secrets
    ? sql`, code_mac = ${secrets.codeMac}, link_hash = ${secrets.linkHash}, secrets_sealed = ${secrets.secretsSealed}, expires_at = ${secrets.expiresAt}, last_try_mac = null`
    : sql``;
  await tx.rows(
    sql`update passwordless_requests set mails = mails + 1 ${replaced} where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
}

/**
 * Counts one try of a code. Nothing is compared without a row from here: of any number of parallel tries at most `most`
 * different ones get one. What was tried last tells nothing new and is not counted again.
 */
export async function countPasswordlessTry(
  db: Db,
  by: ById & { tryMac: Uint8Array; most: number; now: Date },
): Promise<PasswordlessRequest | undefined> {
  const rows = await db.rows<Row>(sql`
    update passwordless_requests set attempts = attempts + case when last_try_mac = ${by.tryMac}::bytea then 0 else 1 end, last_try_mac = ${by.tryMac}
     where environment_id = ${by.environmentId} and id = ${by.id} and used_at is null and expires_at > ${by.now} and code_mac is not null
       and (attempts < ${by.most} or last_try_mac = ${by.tryMac}::bytea)
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Uses a request up: of parallel callers exactly one gets true. `codeMac`: the code that was compared must still be the one. */
export async function usePasswordlessRequest(
  tx: Db,
  by: ById & ({ codeMac: Uint8Array } | { linkHash: Uint8Array }) & { now: Date },
): Promise<boolean> {
  const proof = 'codeMac' in by ? sql`code_mac = ${by.codeMac}` : sql`link_hash = ${by.linkHash}`;
  const rows = await tx.rows(sql`
    update passwordless_requests set used_at = ${by.now}, secrets_sealed = null
     where environment_id = ${by.environmentId} and id = ${by.id} and used_at is null and expires_at > ${by.now} and ${proof}
    returning id`);
  return rows.length === 1;
}

/** Forgets requests that ended before a moment, of all environments. */
export async function deletePasswordlessRequests(db: Db, expiredBefore: Date): Promise<void> {
  await db.rows(sql`delete from passwordless_requests where expires_at < ${expiredBefore}`);
}
