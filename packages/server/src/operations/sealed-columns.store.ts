import type { SecretUse } from '../runtime/secrets.ts';
import { type Db, type Sql, sql } from '../storage/db.ts';

/** A column of ciphertexts: table and use are what they were sealed with, besides environment and row id. */
export type SealedColumn = {
  readonly table: string;
  readonly name: string;
  readonly use: SecretUse;
  readonly from: Sql;
  readonly column: Sql;
};
export type SealedValue = {
  readonly environmentId: string;
  readonly id: string;
  readonly sealed: Uint8Array;
};

const endpoint = {
  table: 'webhook_endpoints',
  use: 'secrets-at-rest',
  from: sql`webhook_endpoints`,
} as const;
const mail = { table: 'mails', use: 'mail-at-rest', from: sql`mails` } as const;

const interceptor = {
  table: 'interceptors',
  use: 'secrets-at-rest',
  from: sql`interceptors`,
} as const;

/** Every sealed column but the one of `deployment`, which says that the others are done. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  {
    table: 'signing_keys',
    name: 'private_key',
    use: 'keys-at-rest',
    from: sql`signing_keys`,
    column: sql`private_key`,
  },
  {
    table: 'client_secrets',
    name: 'readable',
    use: 'secrets-at-rest',
    from: sql`client_secrets`,
    column: sql`readable`,
  },
  {
    table: 'connections',
    name: 'client_secret',
    use: 'secrets-at-rest',
    from: sql`connections`,
    column: sql`client_secret`,
  },
  {
    table: 'login_requests',
    name: 'code_sealed',
    use: 'pending-code',
    from: sql`login_requests`,
    column: sql`code_sealed`,
  },
  {
    table: 'sign_in_codes',
    name: 'pairing_code_sealed',
    use: 'mail-at-rest',
    from: sql`sign_in_codes`,
    column: sql`pairing_code_sealed`,
  },
  {
    table: 'passwordless_requests',
    name: 'secrets_sealed',
    use: 'mail-at-rest',
    from: sql`passwordless_requests`,
    column: sql`secrets_sealed`,
  },
  { ...endpoint, name: 'secret', column: sql`secret` },
  { ...endpoint, name: 'previous_secret', column: sql`previous_secret` },
  { ...interceptor, name: 'secret', column: sql`secret` },
  { ...interceptor, name: 'previous_secret', column: sql`previous_secret` },
  { ...interceptor, name: 'auth_secret', column: sql`auth_secret` },
  {
    table: 'email_servers',
    name: 'password',
    use: 'secrets-at-rest',
    from: sql`email_servers`,
    column: sql`password`,
  },
  { ...mail, name: 'subject', column: sql`subject` },
  { ...mail, name: 'text_body', column: sql`text_body` },
  { ...mail, name: 'html_body', column: sql`html_body` },
  { ...mail, name: 'code', column: sql`code` },
  { ...mail, name: 'link', column: sql`link` },
];

/** The next values in the order of their rows; a mail that was sent leaves an empty one, which is none. */
export async function listSealed(
  db: Db,
  { from, column }: SealedColumn,
  after: { environmentId: string; id: string },
  limit: number,
): Promise<SealedValue[]> {
  const rows = await db.rows<{ environment_id: string; id: string; sealed: Uint8Array }>(sql`
    select environment_id, id, ${column} as sealed from ${from}
     where (environment_id, id) > (${after.environmentId}::text, ${after.id}::text) and length(${column}) > 0
     order by environment_id, id limit ${limit}`);
  return rows.map((row) => ({
    environmentId: row.environment_id,
    id: row.id,
    sealed: row.sealed,
  }));
}

/** Puts a new ciphertext in the place of the one that was read; whoever changed the row meanwhile wins. */
export async function replaceSealed(
  db: Db,
  { from, column }: SealedColumn,
  value: SealedValue,
  resealed: Uint8Array,
): Promise<void> {
  await db.rows(sql`
    update ${from} set ${column} = ${resealed}
     where environment_id = ${value.environmentId} and id = ${value.id} and ${column} = ${value.sealed}`);
}

/** The known plaintext that proves the operator key at start. */
export async function findOperatorKeyCheck(db: Db): Promise<Uint8Array | undefined> {
  const rows = await db.rows<{ operator_key_check: Uint8Array }>(
    sql`select operator_key_check from deployment`,
  );
  return rows[0]?.operator_key_check;
}

export async function replaceOperatorKeyCheck(
  db: Db,
  sealed: Uint8Array,
  resealed: Uint8Array,
): Promise<void> {
  await db.rows(
    sql`update deployment set operator_key_check = ${resealed} where operator_key_check = ${sealed}`,
  );
}
