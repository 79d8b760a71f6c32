import { type Db, json, sql } from '../storage/db.ts';

export type SigningKeyState = 'future' | 'current' | 'retired' | 'withdrawn';
export type SigningKeyRow = {
  readonly environmentId: string;
  readonly id: string;
  readonly algorithm: string;
  readonly state: SigningKeyState;
  readonly publicJwk: Readonly<Record<string, unknown>>;
  readonly sealedPrivateKey: Uint8Array;
  readonly publishedUntil: Date | undefined;
};
type Row = {
  environment_id: string;
  id: string;
  algorithm: string;
  state: SigningKeyState;
  public_jwk: Record<string, unknown>;
  private_key: Uint8Array;
  published_until: Date | null;
};

/** Keys whose signatures may still be accepted, the current one first, then future ones in the order they will serve. */
export async function publishedKeys(
  db: Db,
  by: { environmentId: string; now: Date },
): Promise<SigningKeyRow[]> {
  const rows = await db.rows<Row>(sql`
    select environment_id, id, algorithm, state, public_jwk, private_key, published_until from signing_keys
     where environment_id = ${by.environmentId} and (state in ('current', 'future') or (state = 'retired' and published_until > ${by.now}))
     order by case state when 'current' then 0 when 'future' then 1 else 2 end, position`);
  return rows.map((row) => ({
    environmentId: row.environment_id,
    id: row.id,
    algorithm: row.algorithm,
    state: row.state,
    publicJwk: row.public_jwk,
    sealedPrivateKey: row.private_key,
    publishedUntil: row.published_until ?? undefined,
  }));
}

export async function insertSigningKey(
  db: Db,
  key: {
    environmentId: string;
    id: string;
    algorithm: string;
    publicJwk: Record<string, unknown>;
    sealedPrivateKey: Uint8Array;
    now: Date;
  },
): Promise<void> {
  await db.rows(sql`
    insert into signing_keys (environment_id, id, algorithm, state, position, public_jwk, private_key, created_at)
    select ${key.environmentId}, ${key.id}, ${key.algorithm}, 'future', coalesce(max(position), 0) + 1, ${json(key.publicJwk)}::jsonb, ${key.sealedPrivateKey}, ${key.now}
      from signing_keys where environment_id = ${key.environmentId}`);
}

/** Serialises changes of one environment's keys across processes, to the end of the transaction. */
export async function lockSigningKeys(db: Db, environmentId: string): Promise<void> {
  await db.rows(sql`select id from environments where id = ${environmentId} for update`);
}

export async function promoteNextKey(
  db: Db,
  by: { environmentId: string; algorithm: string; now: Date },
): Promise<string | undefined> {
  const rows = await db.rows<{ id: string }>(sql`
    update signing_keys set state = 'current', promoted_at = ${by.now}
     where environment_id = ${by.environmentId} and id = (
       select id from signing_keys where environment_id = ${by.environmentId} and algorithm = ${by.algorithm} and state = 'future' order by position limit 1)
    returning id`);
  return rows[0]?.id;
}

export async function retireCurrentKey(
  db: Db,
  by: { environmentId: string; algorithm: string; now: Date; publishedUntil: Date },
): Promise<string | undefined> {
  const rows = await db.rows<{ id: string }>(sql`
    update signing_keys set state = 'retired', retired_at = ${by.now}, published_until = ${by.publishedUntil}
     where environment_id = ${by.environmentId} and algorithm = ${by.algorithm} and state = 'current' returning id`);
  return rows[0]?.id;
}

/** Takes the current and every future key out of use and out of the key set at once. */
export async function withdrawKeys(
  db: Db,
  by: { environmentId: string; now: Date },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    update signing_keys set state = 'withdrawn', retired_at = ${by.now}, published_until = null
     where environment_id = ${by.environmentId} and state in ('current', 'future') returning id`);
  return rows.map((row) => row.id);
}
