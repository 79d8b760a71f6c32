import { type Db, type Sql, sql } from '../storage/db.ts';

export type DomainType = 'ALLOWED_EMAIL_DOMAIN' | 'ORGANIZATION_DOMAIN';
export type VerificationMethod = 'ADMIN' | 'DNS' | 'NOT_APPLICABLE';
export type VerificationStatus = 'PENDING' | 'VERIFIED' | 'FAILED' | 'AUTO_VERIFIED';

/** A domain of an organization: of its people's addresses, or only of people it may suggest itself to. */
export type Domain = {
  readonly id: string;
  readonly organizationId: string;
  readonly domain: string;
  readonly domainType: DomainType;
  readonly verificationMethod: VerificationMethod;
  readonly verificationStatus: VerificationStatus;
  /** Label of the TXT record before the domain; empty where there is nothing to prove. */
  readonly txtRecordKey: string;
  readonly txtRecordSecret: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

type Row = {
  id: string;
  organization_id: string;
  domain: string;
  domain_type: DomainType;
  verification_method: VerificationMethod;
  verification_status: VerificationStatus;
  txt_record_key: string;
  txt_record_secret: string;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`d.id, d.organization_id, d.domain, d.domain_type, d.verification_method, d.verification_status, d.txt_record_key, d.txt_record_secret, d.created_at, d.updated_at`;

const fromRow = (row: Row): Domain => ({
  id: row.id,
  organizationId: row.organization_id,
  domain: row.domain,
  domainType: row.domain_type,
  verificationMethod: row.verification_method,
  verificationStatus: row.verification_status,
  txtRecordKey: row.txt_record_key,
  txtRecordSecret: row.txt_record_secret,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** Statuses of domains that lead people somewhere. */
export const VERIFIED = sql`('VERIFIED', 'AUTO_VERIFIED')`;

/**
 * Adds a domain; undefined when it leads to an organization already.
 *
 * @throws unique violation on `domains_of_organizations`, `domains_claimed` or the id; foreign key violation: no such organization
 */
export async function insertDomain(
  db: Db,
  by: { environmentId: string; domain: Omit<Domain, 'createdAt' | 'updatedAt'>; now: Date },
): Promise<Domain | undefined> {
  const { environmentId, domain: d, now } = by;
  const rows = await db.rows<Row>(sql`
    insert into domains as d (environment_id, id, organization_id, domain, domain_type, verification_method, verification_status, txt_record_key, txt_record_secret, created_at, updated_at)
    select ${environmentId}, ${d.id}, ${d.organizationId}, ${d.domain}, ${d.domainType}::text, ${d.verificationMethod}, ${d.verificationStatus}, ${d.txtRecordKey}, ${d.txtRecordSecret}, ${now}::timestamptz, ${now}::timestamptz
     where ${d.domainType}::text <> 'ORGANIZATION_DOMAIN'
        or not exists (select 1 from domains o where o.environment_id = ${environmentId} and o.domain = ${d.domain} and o.domain_type = 'ORGANIZATION_DOMAIN' and o.verification_status in ${VERIFIED})
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

export type DomainKey = {
  readonly environmentId: string;
  readonly organizationId: string;
  readonly id: string;
};

function isDomain(by: DomainKey): Sql {
  return sql`d.environment_id = ${by.environmentId} and d.organization_id = ${by.organizationId} and d.id = ${by.id}`;
}

export async function findDomain(db: Db, by: DomainKey): Promise<Domain | undefined> {
  const rows = await db.rows<Row>(sql`select ${columns} from domains d where ${isDomain(by)}`);
  return rows[0] && fromRow(rows[0]);
}

function assignedTo(connectionId: string | undefined): Sql {
  return connectionId === undefined
    ? sql``
    : sql`and exists (select 1 from connection_domains cd where cd.environment_id = d.environment_id and cd.connection_id = ${connectionId} and cd.domain_id = d.id)`;
}

export type DomainFilter = {
  readonly environmentId: string;
  readonly organizationId: string;
  readonly domainType?: DomainType | undefined;
  /** Only those that were assigned to this connection. */
  readonly connectionId?: string | undefined;
};

/** Domains of one organization, newest first: a part of the list by its number, from 0 on. */
export async function listDomainPage(
  db: Db,
  by: DomainFilter & { pageSize: number; pageNumber: number },
): Promise<Domain[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from domains d
     where d.environment_id = ${by.environmentId} and d.organization_id = ${by.organizationId}
       and (${by.domainType}::text is null or d.domain_type = ${by.domainType}) ${assignedTo(by.connectionId)}
     order by d.id desc limit ${by.pageSize} offset ${by.pageSize * by.pageNumber}`);
  return rows.map(fromRow);
}

/** Removes a domain, of a connection if one is named; routing by it ends at once. The row that was deleted. */
export async function deleteDomain(
  db: Db,
  by: DomainKey & { connectionId?: string | undefined },
): Promise<Domain | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from domains d where ${isDomain(by)} ${assignedTo(by.connectionId)} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/**
 * Writes what DNS said, unless it was written before or the claim is another one by now: of any number of callers at once one
 * gets the row, and nobody a second time.
 *
 * @throws unique violation on `domains_of_organizations`: the domain leads to another organization meanwhile
 */
export async function noteVerification(
  db: Db,
  by: { environmentId: string; claim: Domain; status: 'VERIFIED' | 'FAILED'; now: Date },
): Promise<Domain | undefined> {
  const { environmentId, claim, status, now } = by;
  const from = status === 'VERIFIED' ? sql`('PENDING', 'FAILED')` : sql`('PENDING')`;
  const rows = await db.rows<Row>(sql`
    update domains d set verification_status = ${status}, updated_at = ${now}, verified_at = case when ${status} = 'VERIFIED' then ${now}::timestamptz else d.verified_at end
     where ${isDomain({ ...claim, environmentId })} and d.domain = ${claim.domain} and d.txt_record_secret = ${claim.txtRecordSecret} and d.verification_status in ${from}
    returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Those of the organization among these ids; they stay until the transaction ends. */
export async function listDomainsByIds(
  db: Db,
  by: { environmentId: string; organizationId: string; ids: readonly string[] },
): Promise<Domain[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from domains d
     where d.environment_id = ${by.environmentId} and d.organization_id = ${by.organizationId} and d.id = any(${by.ids}) order by d.id for key share`);
  return rows.map(fromRow);
}

/**
 * Domains that a connection is for: those that were assigned to it, else all of its organization, newest first and at most a
 * hundred. None for a connection of the environment.
 */
export async function listServedDomains(
  db: Db,
  by: { environmentId: string; connectionId: string },
): Promise<Domain[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from connections c join domains d on d.environment_id = c.environment_id and d.organization_id = c.organization_id
     where c.environment_id = ${by.environmentId} and c.id = ${by.connectionId} and ${served()} order by d.id desc limit 100`);
  return rows.map(fromRow);
}

/** Whether domain `d` is one that connection `c` of the same organization is for. */
export function served(): Sql {
  return sql`d.domain_type = 'ORGANIZATION_DOMAIN' and (
    exists (select 1 from connection_domains cd where cd.environment_id = c.environment_id and cd.connection_id = c.id and cd.domain_id = d.id)
    or not exists (select 1 from connection_domains cd where cd.environment_id = c.environment_id and cd.connection_id = c.id))`;
}
