/** What an event of the catalogue is about, as payloads name it. */
export type EventObject =
  | 'Organization'
  | 'OrgMembership'
  | 'User'
  | 'Directory'
  | 'DirectoryUser'
  | 'DirectoryGroup'
  | 'Connection'
  | 'Role'
  | 'Permission'
  | 'Session'
  | 'ApiKey'
  | 'Client';

export type CatalogueEntry = {
  readonly type: string;
  readonly object: EventObject;
  /** For people: `Organization Created`. */
  readonly displayName: string;
  /** Delivered only to endpoints that name the type. */
  readonly optIn: boolean;
};

/** The types that every endpoint may hear of (FSA-82), each with what its payload is about. */
const DOCUMENTED: Readonly<Record<string, EventObject>> = {
  'organization.created': 'Organization',
  'organization.updated': 'Organization',
  'organization.deleted': 'Organization',
  'organization.domain_created': 'Organization',
  'organization.domain_deleted': 'Organization',
  'organization.domain_dns_verification_success': 'Organization',
  'organization.domain_dns_verification_failed': 'Organization',
  'user.signup': 'OrgMembership',
  'user.organization_invitation': 'OrgMembership',
  'user.organization_membership_created': 'OrgMembership',
  'user.organization_membership_updated': 'OrgMembership',
  'user.organization_membership_deleted': 'OrgMembership',
  'user.login': 'User',
  'user.logout': 'User',
  'organization.directory_enabled': 'Directory',
  'organization.directory_disabled': 'Directory',
  'organization.directory.user_created': 'DirectoryUser',
  'organization.directory.user_updated': 'DirectoryUser',
  'organization.directory.user_deleted': 'DirectoryUser',
  'organization.directory.group_created': 'DirectoryGroup',
  'organization.directory.group_updated': 'DirectoryGroup',
  'organization.directory.group_deleted': 'DirectoryGroup',
  'organization.sso_created': 'Connection',
  'organization.sso_enabled': 'Connection',
  'organization.sso_disabled': 'Connection',
  'organization.sso_deleted': 'Connection',
  'role.created': 'Role',
  'role.updated': 'Role',
  'role.deleted': 'Role',
  'permission.created': 'Permission',
  'permission.updated': 'Permission',
  'permission.deleted': 'Permission',
};

/** Ours: an endpoint has to name them. */
const OPT_IN: Readonly<Record<string, EventObject>> = {
  'user.created': 'User',
  'user.updated': 'User',
  'user.deleted': 'User',
  'session.revoked': 'Session',
  'api_key.created': 'ApiKey',
  'api_key.revoked': 'ApiKey',
  'client.created': 'Client',
  'client.deleted': 'Client',
  'connection.certificate_expiring': 'Connection',
};

const CAPITALS = new Set(['api', 'dns', 'mcp', 'sso']);

/** Everything that endpoints can be told, in the order of the documentation. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  ...Object.entries(DOCUMENTED).map(([type, object]) => entry(type, object, false)),
  ...Object.entries(OPT_IN).map(([type, object]) => entry(type, object, true)),
];

const byType = new Map(CATALOGUE.map((each) => [each.type, each]));

/** What the catalogue says of a type; undefined for events that only the audit trail has. */
export function catalogued(type: string): CatalogueEntry | undefined {
  return byType.get(type);
}

/** A type in words, also for types that the catalogue does not have: `organization.sso_created` is `Organization SSO Created`. */
export function displayNameOf(type: string): string {
  return type
    .split(/[._]/)
    .filter((word) => word !== '')
    .map((word) =>
      CAPITALS.has(word) ? word.toUpperCase() : `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`,
    )
    .join(' ');
}

function entry(type: string, object: EventObject, optIn: boolean): CatalogueEntry {
  return { type, object, displayName: displayNameOf(type), optIn };
}
