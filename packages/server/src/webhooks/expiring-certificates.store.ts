import { type Db, sql } from '../storage/db.ts';

/** A certificate of an identity provider that ends soon, of a connection in use. */
export type ExpiringCertificate = {
  readonly connectionId: string;
  readonly organizationId: string | undefined;
  readonly type: string;
  readonly provider: string;
  readonly certificateId: string;
  /** ISO 8601. */
  readonly expiryTime: string;
};

type Row = {
  id: string;
  organization_id: string | null;
  type: string;
  provider: string;
  certificate_id: string;
  expiry_time: string;
};

/** Those that end before a moment and that no event has told of. */
export async function listUntold(
  db: Db,
  by: { environmentId: string; type: string; now: Date; before: Date; limit: number },
): Promise<ExpiringCertificate[]> {
  const rows = await db.rows<Row>(sql`
    select c.id, c.organization_id, c.type, c.provider, given ->> 'id' as certificate_id, given ->> 'expiryTime' as expiry_time
      from connections c cross join lateral jsonb_array_elements(c.settings -> 'idpCertificates') as given
     where c.environment_id = ${by.environmentId} and c.enabled and jsonb_typeof(c.settings -> 'idpCertificates') = 'array'
       and (given ->> 'expiryTime')::timestamptz between ${by.now} and ${by.before}
       and not exists (select 1 from events e
         where e.environment_id = c.environment_id and e.connection_id = c.id and e.type = ${by.type} and e.data ->> 'certificate_id' = given ->> 'id')
     order by c.id limit ${by.limit}`);
  return rows.map((row) => ({
    connectionId: row.id,
    organizationId: row.organization_id ?? undefined,
    type: row.type,
    provider: row.provider,
    certificateId: row.certificate_id,
    expiryTime: row.expiry_time,
  }));
}

/** Has other processes wait until the transaction ends: each certificate is told of once. */
export async function lockEnvironment(db: Db, environmentId: string): Promise<void> {
  await db.rows(sql`select id from environments where id = ${environmentId} for no key update`);
}
