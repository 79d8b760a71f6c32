import { type Db, sql } from '../storage/db.ts';

/** Lets one process at a time make the first client of an environment: the others wait for its transaction. */
export async function lockEnvironment(db: Db, environmentId: string): Promise<void> {
  await db.rows(sql`select id from environments where id = ${environmentId} for update`);
}

export type EnvironmentSecret = {
  readonly clientId: string;
  readonly secretId: string;
  readonly readable: Uint8Array | undefined;
};

/** The oldest environment client that may use the management API, with its oldest readable secret if it has one. */
export async function findEnvironmentClient(
  db: Db,
  environmentId: string,
): Promise<EnvironmentSecret | undefined> {
  const rows = await db.rows<{
    client_id: string;
    secret_id: string | null;
    readable: Uint8Array | null;
  }>(sql`
    select c.id as client_id, s.id as secret_id, s.readable from clients c
      left join client_secrets s on s.environment_id = c.environment_id and s.client_id = c.id and s.active and s.readable is not null
     where c.environment_id = ${environmentId} and c.kind = 'environment' and c.management_api and c.enabled and c.deleted_at is null
     order by (s.readable is not null) desc, c.created_at, c.id, s.created_at, s.id limit 1`);
  const row = rows[0];
  return (
    row && {
      clientId: row.client_id,
      secretId: row.secret_id ?? '',
      readable: row.readable ?? undefined,
    }
  );
}

/** Ends the secrets that earlier configurations set: a new value means the old one must not open anything. */
export async function endOtherConfiguredSecrets(
  db: Db,
  by: { environmentId: string; clientId: string; hash: Uint8Array },
): Promise<void> {
  await db.rows(sql`
    with ended as (
      update client_secrets set active = false where environment_id = ${by.environmentId} and client_id = ${by.clientId} and from_configuration and active and secret_hash <> ${by.hash}
      returning client_id)
    update clients set row_version = row_version + 1 where environment_id = ${by.environmentId} and id in (select client_id from ended)`);
}
