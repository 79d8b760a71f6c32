import { type Db, sql } from '../storage/db.ts';

type Assignment = {
  readonly environmentId: string;
  readonly organizationId: string;
  readonly connectionId: string;
};
type PossibleAssignment = Omit<Assignment, 'connectionId'> & {
  readonly connectionId: string | undefined;
};

/** Whether a domain can be assigned to this connection of the organization, or to none. It stays until the transaction ends. */
export async function isConnectionToAssign(db: Db, by: PossibleAssignment): Promise<boolean> {
  if (by.connectionId === undefined) return true;
  const rows = await db.rows(sql`
    select id from connections
     where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and id = ${by.connectionId} for key share`);
  return rows.length === 1;
}

/** Adds a domain to those of a connection, if one is named; see `isConnectionToAssign`. */
export async function assignDomain(
  db: Db,
  by: PossibleAssignment & { readonly domainId: string },
): Promise<void> {
  const { environmentId, organizationId, connectionId, domainId } = by;
  if (connectionId !== undefined)
    await db.rows(sql`
      insert into connection_domains (environment_id, organization_id, connection_id, domain_id)
      values (${environmentId}, ${organizationId}, ${connectionId}, ${domainId})`);
}

/** The domains of a connection from now on; all of them are its organization's, see `listDomainsByIds`. */
export async function replaceAssignedDomains(
  db: Db,
  by: Assignment & { readonly domainIds: readonly string[] },
): Promise<void> {
  const { environmentId, organizationId, connectionId, domainIds } = by;
  await db.rows(
    sql`delete from connection_domains where environment_id = ${environmentId} and connection_id = ${connectionId} and domain_id <> all(${domainIds})`,
  );
  await db.rows(sql`
    insert into connection_domains (environment_id, organization_id, connection_id, domain_id)
    select ${environmentId}, ${organizationId}, ${connectionId}, given.id from unnest(${domainIds}::text[]) as given (id)
    on conflict do nothing`);
}
