import { type Db, sql } from '../storage/db.ts';

export type StoredLogo = { readonly image: Uint8Array; readonly fetchedAt: Date };

export async function findLogo(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<StoredLogo | undefined> {
  const rows = await db.rows<{ image: Uint8Array; fetched_at: Date }>(
    sql`select image, fetched_at from client_logos where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0] && { image: rows[0].image, fetchedAt: rows[0].fetched_at };
}

/** When a logo was fetched last, without reading the image. */
export async function logoFetchedAt(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<Date | undefined> {
  const rows = await db.rows<{ fetched_at: Date }>(
    sql`select fetched_at from client_logos where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0]?.fetched_at;
}

export async function saveLogo(
  db: Db,
  by: { environmentId: string; id: string; url: string; image: Uint8Array; now: Date },
): Promise<void> {
  await db.rows(sql`
    insert into client_logos (environment_id, id, url, image, fetched_at) values (${by.environmentId}, ${by.id}, ${by.url}, ${by.image}, ${by.now})
    on conflict (environment_id, id) do update set image = excluded.image, fetched_at = excluded.fetched_at`);
}
