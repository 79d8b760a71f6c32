import { type Db, json, sql } from '../storage/db.ts';
import type { ClientJwks } from './client.ts';

export type StoredKeySet = { readonly jwks: ClientJwks; readonly fetchedAt: Date };

export async function findKeySet(
  db: Db,
  by: { environmentId: string; url: string },
): Promise<StoredKeySet | undefined> {
  const rows = await db.rows<{ jwks: ClientJwks; fetched_at: Date }>(
    sql`select jwks, fetched_at from client_key_sets where environment_id = ${by.environmentId} and url = ${by.url}`,
  );
  return rows[0] && { jwks: rows[0].jwks, fetchedAt: rows[0].fetched_at };
}

export async function saveKeySet(
  db: Db,
  by: { environmentId: string; url: string; jwks: ClientJwks; now: Date },
): Promise<void> {
  await db.rows(sql`
    insert into client_key_sets (environment_id, url, jwks, fetched_at) values (${by.environmentId}, ${by.url}, ${json(by.jwks)}::jsonb, ${by.now})
    on conflict (environment_id, url) do update set jwks = excluded.jwks, fetched_at = excluded.fetched_at`);
}

/** Takes the `jti` of an assertion. Of any number of callers, in any process, exactly one gets true (RFC 7523 section 3, AS-92). */
export async function useAssertion(
  db: Db,
  by: { environmentId: string; issuer: string; jtiHash: Uint8Array; expiresAt: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into used_assertions (environment_id, issuer, jti_hash, expires_at) values (${by.environmentId}, ${by.issuer}, ${by.jtiHash}, ${by.expiresAt})
    on conflict do nothing returning 1 as used`);
  return rows.length === 1;
}
