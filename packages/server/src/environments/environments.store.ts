import { type Db, json, sql } from '../storage/db.ts';

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

export type EnvironmentSettings = {
  /** Every dynamic registration is answered as a public client (AS-59). */
  readonly dcrPublicOnly: boolean;
  /** Authorization code lifetime for applications at E, in seconds: 30 to 600. */
  readonly codeLifetime: number;
  /** New addresses may sign up on the hosted pages. */
  readonly signUpAllowed: boolean;
  /** How long an invitation to an organization can be accepted, in days. */
  readonly invitationDays: number;
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

const DEFAULT_SETTINGS: EnvironmentSettings = {
  dcrPublicOnly: false,
  codeLifetime: 60,
  signUpAllowed: true,
  invitationDays: 15,
  deleteOrphanUsers: true,
  keepLastAdministrator: false,
  limits: DEFAULT_LIMITS,
  limitsApplyToLoopback: false,
  allowedClientHosts: [],
  blockedClientHosts: [],
  trustedRedirectHosts: [],
  eventRetentionDays: 30,
};

type Row = {
  id: string;
  url: string;
  display_name: string;
  kind: string;
  settings: StoredSettings;
  row_version: bigint;
};
type StoredSettings = Partial<Omit<EnvironmentSettings, 'limits'>> & {
  limits?: Partial<EnvironmentLimits>;
};

function fromRow(row: Row): Environment {
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
    rowVersion: row.row_version,
  };
}

export async function findEnvironment(db: Db, id: string): Promise<Environment | undefined> {
  const rows = await db.rows<Row>(
    sql`select id, url, display_name, kind, settings, row_version from environments where id = ${id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export async function listEnvironments(db: Db): Promise<Environment[]> {
  const rows = await db.rows<Row>(
    sql`select id, url, display_name, kind, settings, row_version from environments order by created_at, id`,
  );
  return rows.map(fromRow);
}

/**
 * Adds the first environment, or gives the existing first one the configured URL; one that is served for production is never
 * again a development one. Two starting processes end with one row: the table lock is the gate.
 */
export async function insertEnvironment(
  db: Db,
  first: {
    id: string;
    url: string;
    displayName: string;
    kind: Environment['kind'];
    createdAt: Date;
  },
): Promise<Environment> {
  return await db.transaction(async (tx) => {
    await tx.rows(sql`lock table environments in exclusive mode`);
    const existing = (await listEnvironments(tx))[0];
    const kind = existing?.kind === 'PRODUCTION' ? existing.kind : first.kind;
    const rows = existing
      ? await tx.rows<Row>(
          sql`update environments set url = ${first.url}, kind = ${kind}, row_version = row_version + 1 where id = ${existing.id} and (url <> ${first.url} or kind <> ${kind}) returning id, url, display_name, kind, settings, row_version`,
        )
      : await tx.rows<Row>(
          sql`insert into environments (id, url, display_name, kind, created_at) values (${first.id}, ${first.url}, ${first.displayName}, ${first.kind}, ${first.createdAt}) returning id, url, display_name, kind, settings, row_version`,
        );
    const row = rows[0];
    if (row) return fromRow(row);
    if (existing) return existing;
    throw new Error('the first environment was not written');
  });
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
