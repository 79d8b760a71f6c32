import type { SigningKeyState } from '../keys/signing-keys.store.ts';
import { type Db, sql } from '../storage/db.ts';

/** A signing key without its private part. */
export type SigningKeyEntry = {
  readonly id: string;
  readonly algorithm: string;
  readonly state: SigningKeyState;
  readonly createdAt: Date;
  readonly promotedAt: Date | undefined;
  readonly retiredAt: Date | undefined;
  /** When a retired key leaves the key set. */
  readonly publishedUntil: Date | undefined;
};
type Row = {
  id: string;
  algorithm: string;
  state: SigningKeyState;
  created_at: Date;
  promoted_at: Date | null;
  retired_at: Date | null;
  published_until: Date | null;
};

/** Every key of the environment, the newest in line first. */
export async function listKeys(db: Db, environmentId: string): Promise<SigningKeyEntry[]> {
  const rows = await db.rows<Row>(sql`
    select id, algorithm, state, created_at, promoted_at, retired_at, published_until from signing_keys
     where environment_id = ${environmentId} order by position desc`);
  return rows.map((row) => ({
    id: row.id,
    algorithm: row.algorithm,
    state: row.state,
    createdAt: row.created_at,
    promotedAt: row.promoted_at ?? undefined,
    retiredAt: row.retired_at ?? undefined,
    publishedUntil: row.published_until ?? undefined,
  }));
}

/** Takes retired keys out of the key set that are still in it. */
export async function withdrawRetiredKeys(
  db: Db,
  by: { environmentId: string; now: Date },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    update signing_keys set state = 'withdrawn', published_until = null
     where environment_id = ${by.environmentId} and state = 'retired' and published_until > ${by.now} returning id`);
  return rows.map((row) => row.id);
}
