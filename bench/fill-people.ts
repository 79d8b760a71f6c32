import { type Database, sql } from '../packages/server/src/storage/db.ts';
import { openPostgres } from '../packages/server/src/storage/postgres.ts';

/** People of one environment, who is who by number. */
export type People = {
  readonly count: number;
  user(n: number): string;
  externalId(n: number): string;
  email(n: number): string;
  /** The organization that a person belongs to. */
  organizationOf(n: number): string;
  organization(n: number): string;
  organizationName(n: number): string;
};

const PER_ORGANIZATION = 20;
const FIRST = 100_000_000_000_000_000n;
/** Spreads ids and names, as they are not in order in real lists. */
const STRIDE = 48_271;

const idOf = (prefix: string, n: number): string => `${prefix}_${FIRST + BigInt(n)}`;

/**
 * Puts people into the database of a server that is stopped: twenty in each organization, each with a role, in the order of their
 * numbers. Indexes over texts are made again afterwards, which is quicker by far than to keep them.
 */
export async function fillPeople(url: string, count: number): Promise<People> {
  const database = await openPostgres({ url, maxConnections: 1, statementTimeout: 3_600_000 });
  try {
    await fill(database, count);
  } finally {
    await database.close();
  }
  const organizations = Math.ceil(count / PER_ORGANIZATION);
  const place = (n: number): number => Math.floor(n / PER_ORGANIZATION);
  const spread = (n: number): number => (n * STRIDE) % 1_000_003;
  return {
    count,
    user: (n) => idOf('usr', n),
    externalId: (n) => `person-${n}`,
    email: (n) => `p${spread(n)}@company-${place(n)}.example`,
    organizationOf: (n) => idOf('org', place(n)),
    organization: (n) => idOf('org', n % organizations),
    organizationName: (n) => `Company ${spread(n % organizations)} of the world`,
  };
}

async function fill(database: Database, count: number): Promise<void> {
  const organizations = Math.ceil(count / PER_ORGANIZATION);
  await database.rows(sql`set maintenance_work_mem = '1GB'`);
  await database.rows(sql`drop index users_by_search_parts`);
  await database.rows(sql`drop index organizations_by_search_parts`);
  await database.rows(sql`
    insert into organizations (environment_id, id, external_id, display_name, search_text, created_at, updated_at)
    select e.id, 'org_' || (${FIRST}::bigint + n), 'customer-' || n, name, lower(name || E'\n' || 'org_' || (${FIRST}::bigint + n) || E'\n' || 'customer-' || n), now(), now()
      from environments e, lateral (select n, 'Company ' || ((n::bigint * ${STRIDE}) % 1000003) || ' of the world' as name from generate_series(0, ${organizations - 1}::int) as n) as o`);
  await database.rows(sql`
    insert into users (environment_id, id, external_id, email, email_key, email_verified_at, name, given_name, family_name, revocation_secret, created_at, updated_at)
    select e.id, 'usr_' || (${FIRST}::bigint + n), 'person-' || n, address, address, now(), 'Ada Lovelace', 'Ada', 'Lovelace', decode(repeat('00', 32), 'hex'), now(), now()
      from environments e, lateral (select n, 'p' || ((n::bigint * ${STRIDE}) % 1000003) || '@company-' || (n / ${PER_ORGANIZATION}) || '.example' as address from generate_series(0, ${count - 1}::int) as n) as p`);
  await database.rows(sql`
    insert into memberships (environment_id, organization_id, user_id, status, provisioning_method, created_at, updated_at, accepted_at)
    select e.id, 'org_' || (${FIRST}::bigint + n / ${PER_ORGANIZATION}), 'usr_' || (${FIRST}::bigint + n), 'ACTIVE', 'api', now(), now(), now()
      from environments e, generate_series(0, ${count - 1}::int) as n`);
  await database.rows(sql`
    insert into membership_roles (environment_id, organization_id, user_id, role_id)
    select m.environment_id, m.organization_id, m.user_id, r.id from memberships m
      join roles r on r.environment_id = m.environment_id and r.organization_id is null and r.name = 'admin'`);
  await database.rows(sql`create index users_by_search_parts on users using gin (search_parts)`);
  await database.rows(
    sql`create index organizations_by_search_parts on organizations using gin (search_parts)`,
  );
  await database.rows(sql`vacuum analyze`);
}
