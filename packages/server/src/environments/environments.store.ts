import { type Db, json, sql } from '../storage/db.ts';
import { type ApplicationSessionPolicy, USUAL_SESSION_POLICY } from './session-policy.ts';

/** Limits that operators may change. Per minute or hour as the name says. */
export type EnvironmentLimits = {
  readonly authorizePerMinute: number;
  readonly signInPerMinute: number;
  readonly failedAuthenticationPerMinute: number;
  readonly introspectionPerMinute: number;
  readonly registrationPerHourPerNetwork: number;
  readonly registrationPerHourPerServer: number;
  readonly pendingAuthorizationsPerNetwork: number;
  readonly documentFetchesPerMinute: number;
  readonly documentFetchesPerMinutePerOrigin: number;
  readonly newDocumentHostsPerMinutePerNetwork: number;
};

/** People of tests, who prove an address with a code that is always the same. */
export type TestUsers = {
  readonly enabled: boolean;
  /** Six digits. */
  readonly code: string;
  /** Lower case, each with `+sktest`. */
  readonly emails: readonly string[];
};

export type EnvironmentSettings = {
  /** Every dynamic registration is answered as a public client (AS-59). */
  readonly dcrPublicOnly: boolean;
  /** Authorization code lifetime for applications at E, in seconds: 30 to 600. */
  readonly codeLifetime: number;
  /** New addresses may sign up on the hosted pages. */
  readonly signUpAllowed: boolean;
  /** How long an invitation to an organization can be accepted, in minutes: at most 30 days. */
  readonly invitationMinutes: number;
  /** Nobody signs up, or is invited, with an address that everybody can get, or with one that is thrown away. */
  readonly blockPublicEmailDomains: boolean;
  readonly blockDisposableEmailDomains: boolean;
  /** Whether `maxUsers` holds. */
  readonly maxUsersEnabled: boolean;
  /** How many users an organization may have that says nothing itself. 0: nobody has said. */
  readonly maxUsers: number;
  /** Somebody may belong to several organizations. */
  readonly multipleMemberships: boolean;
  readonly sessionPolicy: ApplicationSessionPolicy;
  readonly testUsers: TestUsers;
  /** Whoever leaves their last organization is deleted (FSA-66). */
  readonly deleteOrphanUsers: boolean;
  /** Nobody may leave an organization, or lose the role, as the last who has the role of creators (FSA-65). */
  readonly keepLastAdministrator: boolean;
  readonly limits: EnvironmentLimits;
  /** In development, limits per network spare loopback unless they were set on purpose. */
  readonly limitsApplyToLoopback: boolean;
  /** Client host policy of AS-80. An empty allow list allows every host. */
  readonly allowedClientHosts: readonly string[];
  readonly blockedClientHosts: readonly string[];
  /** Hosts the operator vouches for: redirects there count as trusted, documents there as a known host. */
  readonly trustedRedirectHosts: readonly string[];
  /** Days that events and their deliveries are kept: 2 to 3650. */
  readonly eventRetentionDays: number;
  /** Tokens issued before this moment are revoked, environment-wide. RFC 3339. */
  readonly revokedBefore?: string;
  /** Who runs the environment, for the consent page's footer. */
  readonly operatorName?: string;
  readonly termsUrl?: string;
  readonly privacyUrl?: string;
  readonly supportContact?: string;
};

export type Environment = {
  readonly id: string;
  /** E: canonical, without trailing slash. */
  readonly url: string;
  readonly displayName: string;
  readonly kind: 'DEVELOPMENT' | 'PRODUCTION';
  readonly settings: EnvironmentSettings;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly rowVersion: bigint;
};

const DEFAULT_LIMITS: EnvironmentLimits = {
  authorizePerMinute: 60,
  signInPerMinute: 20,
  failedAuthenticationPerMinute: 10,
  introspectionPerMinute: 6000,
  registrationPerHourPerNetwork: 20,
  registrationPerHourPerServer: 500,
  pendingAuthorizationsPerNetwork: 200,
  documentFetchesPerMinute: 120,
  documentFetchesPerMinutePerOrigin: 30,
  newDocumentHostsPerMinutePerNetwork: 5,
};

/** Of a new environment. */
export const DEFAULT_SETTINGS: EnvironmentSettings = {
  dcrPublicOnly: false,
  codeLifetime: 60,
  signUpAllowed: true,
  invitationMinutes: 15 * 1440,
  blockPublicEmailDomains: false,
  blockDisposableEmailDomains: false,
  maxUsersEnabled: false,
  maxUsers: 0,
  multipleMemberships: true,
  sessionPolicy: USUAL_SESSION_POLICY,
  testUsers: { enabled: false, code: '424242', emails: [] },
  deleteOrphanUsers: true,
  keepLastAdministrator: false,
  limits: DEFAULT_LIMITS,
  limitsApplyToLoopback: false,
  allowedClientHosts: [],
  blockedClientHosts: [],
  trustedRedirectHosts: [],
  eventRetentionDays: 30,
};

export type EnvironmentRow = {
  id: string;
  url: string;
  display_name: string;
  kind: string;
  settings: StoredSettings;
  created_at: Date;
  updated_at: Date | null;
  row_version: bigint;
};

export const environmentColumns = sql`id, url, display_name, kind, settings, created_at, updated_at, row_version`;

export type StoredSettings = Partial<Omit<EnvironmentSettings, 'limits'>> & {
  limits?: Partial<EnvironmentLimits>;
};

export function environmentFrom(row: EnvironmentRow): Environment {
  return {
    id: row.id,
    url: row.url,
    displayName: row.display_name,
    kind: row.kind === 'PRODUCTION' ? 'PRODUCTION' : 'DEVELOPMENT',
    settings: {
      ...DEFAULT_SETTINGS,
      ...row.settings,
      limits: { ...DEFAULT_LIMITS, ...row.settings.limits },
    },
    createdAt: row.created_at,
    updatedAt: row.updated_at ?? row.created_at,
    rowVersion: row.row_version,
  };
}

/** The form of the URLs of environments that are not the first. */
export type DerivedUrls = {
  readonly derivedUrl: (firstUrl: string, id: string) => string | undefined;
  readonly isDerived: (url: string, id: string) => boolean;
};

export async function findEnvironment(db: Db, id: string): Promise<Environment | undefined> {
  const rows = await db.rows<EnvironmentRow>(
    sql`select ${environmentColumns} from environments where id = ${id}`,
  );
  return rows[0] && environmentFrom(rows[0]);
}

export async function listEnvironments(db: Db): Promise<Environment[]> {
  const rows = await db.rows<EnvironmentRow>(
    sql`select ${environmentColumns} from environments order by created_at, id`,
  );
  return rows.map(environmentFrom);
}

/** All environments, the first one first, while nobody else adds or changes any until the transaction ends. */
export async function lockEnvironments(tx: Db): Promise<Environment[]> {
  await tx.rows(sql`lock table environments in exclusive mode`);
  return await listEnvironments(tx);
}

/**
 * Adds the first environment, or gives the existing first one the configured URL, which those of the others follow; one that
 * is served for production is never again a development one. Two starting processes end with one row: the table lock is the gate.
 */
export async function insertEnvironment(
  db: Db,
  first: {
    id: string;
    url: string;
    displayName: string;
    kind: Environment['kind'];
    createdAt: Date;
  } & DerivedUrls,
): Promise<Environment> {
  return await db.transaction(async (tx) => {
    const [existing, ...others] = await lockEnvironments(tx);
    const kind = existing?.kind === 'PRODUCTION' ? existing.kind : first.kind;
    const rows = existing
      ? await tx.rows<EnvironmentRow>(
          sql`update environments set url = ${first.url}, kind = ${kind}, row_version = row_version + 1 where id = ${existing.id} and (url <> ${first.url} or kind <> ${kind}) returning ${environmentColumns}`,
        )
      : await tx.rows<EnvironmentRow>(
          sql`insert into environments (id, url, display_name, kind, created_at) values (${first.id}, ${first.url}, ${first.displayName}, ${first.kind}, ${first.createdAt}) returning ${environmentColumns}`,
        );
    for (const { id, url } of others) {
      const next = first.derivedUrl(first.url, id);
      if (next === undefined || next === url || !first.isDerived(url, id)) continue;
      await tx.rows(
        sql`update environments set url = ${next}, row_version = row_version + 1 where id = ${id}`,
      );
    }
    const row = rows[0];
    if (row) return environmentFrom(row);
    if (existing) return existing;
    throw new Error('the first environment was not written');
  });
}

/** @throws unique violation: there is one of this id or URL */
export async function addEnvironment(
  db: Db,
  e: Pick<Environment, 'id' | 'url' | 'displayName' | 'kind' | 'createdAt'>,
): Promise<Environment> {
  const rows = await db.rows<EnvironmentRow>(
    sql`insert into environments (id, url, display_name, kind, created_at) values (${e.id}, ${e.url}, ${e.displayName}, ${e.kind}, ${e.createdAt}) returning ${environmentColumns}`,
  );
  const row = rows[0];
  if (!row) throw new Error('the environment was not written');
  return environmentFrom(row);
}

/** The environment, which nobody else changes until the transaction ends. */
export async function lockEnvironmentRow(db: Db, id: string): Promise<Environment | undefined> {
  const rows = await db.rows<EnvironmentRow>(
    sql`select ${environmentColumns} from environments where id = ${id} for no key update`,
  );
  return rows[0] && environmentFrom(rows[0]);
}

/** Renames an environment that is locked, or merges settings into its. */
export async function updateEnvironment(
  db: Db,
  by: {
    readonly id: string;
    readonly displayName: string;
    readonly settings: StoredSettings;
    readonly now: Date;
  },
): Promise<Environment> {
  const rows = await db.rows<EnvironmentRow>(sql`
    update environments set display_name = ${by.displayName}, settings = settings || ${json(by.settings)}::jsonb, updated_at = ${by.now}, row_version = row_version + 1
     where id = ${by.id} returning ${environmentColumns}`);
  const row = rows[0];
  if (!row) throw new Error(`environment ${by.id} was not locked`);
  return environmentFrom(row);
}

/** Merges settings into an environment's; a caller validates them first. */
export async function updateEnvironmentSettings(
  db: Db,
  id: string,
  settings: StoredSettings,
): Promise<void> {
  await db.rows(
    sql`update environments set settings = settings || ${json(settings)}::jsonb, row_version = row_version + 1 where id = ${id}`,
  );
}
