import { type Db, type Sql, sql } from '../storage/db.ts';

/** A WebAuthn credential of a person. */
export type Passkey = {
  /** cred_ and digits: our name for it. */
  readonly id: string;
  readonly userId: string;
  /** Chosen by the authenticator. */
  readonly credentialId: Uint8Array;
  /** COSE_Key. */
  readonly publicKey: Uint8Array;
  readonly signCount: bigint;
  readonly attestationType: string;
  readonly aaguid: string | undefined;
  readonly authenticatorName: string;
  readonly attachment: 'platform' | 'cross-platform' | undefined;
  readonly transports: readonly string[];
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  readonly displayName: string;
  /** Of the browser it was made in. */
  readonly address: string;
  readonly userAgent: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

type Row = {
  id: string;
  user_id: string;
  credential_id: Uint8Array;
  public_key: Uint8Array;
  sign_count: bigint;
  attestation_type: string;
  aaguid: string | null;
  authenticator_name: string;
  attachment: string | null;
  transports: string[];
  user_present: boolean;
  user_verified: boolean;
  backup_eligible: boolean;
  backed_up: boolean;
  display_name: string;
  address: string | null;
  user_agent: string | null;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`id, user_id, credential_id, public_key, sign_count, attestation_type, aaguid, authenticator_name, attachment, transports, user_present, user_verified,
  backup_eligible, backed_up, display_name, address, user_agent, created_at, updated_at`;

function fromRow(row: Row): Passkey {
  const { attachment } = row;
  return {
    id: row.id,
    userId: row.user_id,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    signCount: row.sign_count,
    attestationType: row.attestation_type,
    aaguid: row.aaguid ?? undefined,
    authenticatorName: row.authenticator_name,
    attachment:
      attachment === 'platform' || attachment === 'cross-platform' ? attachment : undefined,
    transports: row.transports,
    userPresent: row.user_present,
    userVerified: row.user_verified,
    backupEligible: row.backup_eligible,
    backedUp: row.backed_up,
    displayName: row.display_name,
    address: row.address ?? '',
    userAgent: row.user_agent ?? '',
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Passkeys that one person may have. */
export const MOST_PASSKEYS = 100;

/**
 * Undefined when the person has as many as they may have.
 *
 * @throws unique violation on `passkeys_by_credential` or the id; foreign key violation: there is no such person
 */
export async function insertPasskey(
  db: Db,
  by: { environmentId: string; passkey: Omit<Passkey, 'createdAt' | 'updatedAt'>; now: Date },
): Promise<Passkey | undefined> {
  const { environmentId, passkey: p, now } = by;
  const rows = await db.rows<Row>(sql`
    insert into passkeys (environment_id, id, user_id, credential_id, public_key, sign_count, attestation_type, aaguid, authenticator_name, attachment, transports,
      user_present, user_verified, backup_eligible, backed_up, display_name, address, user_agent, created_at, updated_at)
    select ${environmentId}, ${p.id}, ${p.userId}, ${p.credentialId}::bytea, ${p.publicKey}::bytea, ${p.signCount}::bigint, ${p.attestationType}, ${p.aaguid}, ${p.authenticatorName},
      ${p.attachment}, ${p.transports}::text[], ${p.userPresent}::boolean, ${p.userVerified}::boolean, ${p.backupEligible}::boolean, ${p.backedUp}::boolean, ${p.displayName}, ${p.address}, ${p.userAgent},
      ${now}::timestamptz, ${now}::timestamptz
     where (select count(*) from passkeys where environment_id = ${environmentId} and user_id = ${p.userId}) < ${MOST_PASSKEYS}
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** All of one person, newest first; undefined when there is no such person. */
export async function listPasskeys(
  db: Db,
  by: { environmentId: string; userId: string },
): Promise<Passkey[] | undefined> {
  const rows = await db.rows<Row | { id: null }>(sql`
    select p.* from users u left join lateral (
        select ${columns} from passkeys where environment_id = u.environment_id and user_id = u.id order by id desc) p on true
     where u.environment_id = ${by.environmentId} and u.id = ${by.userId}`);
  if (rows.length === 0) return undefined;
  return rows.flatMap((row) => (row.id === null ? [] : [fromRow(row)]));
}

/** One passkey; of a person who asks, only their own. */
export type PasskeyKey = {
  environmentId: string;
  id: string;
  ownerId: string | undefined;
};

const named = (by: PasskeyKey): Sql =>
  sql`environment_id = ${by.environmentId} and id = ${by.id} and (${by.ownerId}::text is null or user_id = ${by.ownerId})`;

export async function renamePasskeyRow(
  db: Db,
  by: PasskeyKey & { displayName: string; now: Date },
): Promise<Passkey | undefined> {
  const rows = await db.rows<Row>(
    sql`update passkeys set display_name = ${by.displayName}, updated_at = ${by.now} where ${named(by)} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export async function deletePasskeyRow(db: Db, by: PasskeyKey): Promise<Passkey | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from passkeys where ${named(by)} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** What the environment's passkey connection says; absent where there is none that is on. */
export async function findPasskeySettings(
  db: Db,
  environmentId: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const rows = await db.rows<{ settings: { webauthn?: Record<string, unknown> } }>(sql`
    select settings from connections where environment_id = ${environmentId} and organization_id is null and type = 'WEBAUTHN' and enabled order by id limit 1`);
  return rows[0]?.settings.webauthn;
}
