import type { CatalogueEntry } from '../events/catalogue.ts';

type Data = Readonly<Record<string, unknown>>;

const TIME = '2026-01-15T09:30:00.000Z';
const ORGANIZATION_ID = 'org_100000000000000001';
const USER_ID = 'usr_100000000000000002';
const DIRECTORY_ID = 'dir_100000000000000003';
const CONNECTION_ID = 'conn_100000000000000004';
const SESSION_ID = 'ses_100000000000000005';

const organization: Data = {
  id: ORGANIZATION_ID,
  display_name: 'Example',
  external_id: 'example-1',
  region_code: 'US',
  create_time: TIME,
  update_time: TIME,
  metadata: {},
  settings: {
    features: [
      { name: 'sso', enabled: true },
      { name: 'dir_sync', enabled: false },
    ],
  },
};

const user: Data = {
  id: USER_ID,
  email: 'ada@example.com',
  external_id: 'user-1',
  create_time: TIME,
  update_time: TIME,
  last_login_time: TIME,
  metadata: {},
  user_profile: {
    id: 'usp_100000000000000006',
    name: 'Ada Example',
    given_name: 'Ada',
    family_name: 'Example',
    email_verified: true,
    phone_number: '',
    phone_number_verified: false,
    picture: '',
    gender: '',
    locale: 'en',
    preferred_username: '',
    groups: [],
    custom_attributes: {},
    metadata: {},
    external_identities: [],
  },
};

const session: Data = {
  session_id: SESSION_ID,
  user_id: USER_ID,
  organization_id: ORGANIZATION_ID,
  authenticated_organizations: [ORGANIZATION_ID],
  created_at: TIME,
  updated_at: TIME,
  last_active_at: TIME,
  idle_expires_at: '2026-01-22T09:30:00.000Z',
  absolute_expires_at: '2026-02-14T09:30:00.000Z',
  status: 'ACTIVE',
  device: {
    browser: 'Firefox',
    browser_version: '147',
    os: 'Linux',
    os_version: '',
    device_type: 'Desktop',
    ip: '192.0.2.1',
    user_agent: 'Mozilla/5.0',
  },
};

const directoryUser: Data = {
  id: 'diruser_100000000000000007',
  organization_id: ORGANIZATION_ID,
  dp_id: 'a1b2c3',
  email: 'ada@example.com',
  active: true,
  name: 'Ada Example',
  given_name: 'Ada',
  family_name: 'Example',
  preferred_username: 'ada',
  groups: [{ id: 'dirgroup_100000000000000008', name: 'Engineering' }],
  roles: [{ role_name: 'member' }],
  custom_attributes: {},
  raw_attributes: {},
};

const role: Data = {
  id: 'role_100000000000000009',
  name: 'editor',
  display_name: 'Editor',
  description: 'Writes documents',
  extends: 'viewer',
};

const connection: Data = {
  id: CONNECTION_ID,
  organization_id: ORGANIZATION_ID,
  connection_type: 'OIDC',
  provider: 'OKTA',
};

/** Made-up data of a type, with the members that the documentation names. */
export function sampleData({ type, object }: CatalogueEntry): Data {
  const what = type.slice(type.lastIndexOf('.') + 1);
  switch (object) {
    case 'Organization':
      return what.startsWith('domain_') ? domain(what) : organizationData(what);
    case 'OrgMembership':
      return { organization, user };
    case 'User':
      return what === 'login' || what === 'logout'
        ? { user, user_session: what === 'login' ? session : ended }
        : what === 'deleted'
          ? { id: USER_ID }
          : user;
    case 'Directory':
      return {
        id: DIRECTORY_ID,
        organization_id: ORGANIZATION_ID,
        directory_type: 'SCIM',
        provider: 'OKTA',
        enabled: what === 'directory_enabled',
        updated_at: TIME,
      };
    case 'DirectoryUser': {
      const { id, organization_id, dp_id, email } = directoryUser;
      return what === 'user_deleted' ? { id, organization_id, dp_id, email } : directoryUser;
    }
    case 'DirectoryGroup':
      return group(what);
    case 'Connection':
      return connectionData(what);
    case 'Role':
      return role;
    case 'Permission':
      return {
        id: 'perm_100000000000000010',
        name: 'documents:read',
        description: 'Read documents',
      };
    case 'Session':
      return { user, user_session: { ...session, status: 'REVOKED', expired_at: TIME } };
    case 'ApiKey':
      return { token_id: 'apit_100000000000000011', user_id: USER_ID };
    case 'Client':
      return what === 'created'
        ? { id: 'm2morg_100000000000000012', name: 'Nightly import', kind: 'organization' }
        : { id: 'm2morg_100000000000000012', because: 'request' };
  }
}

const ended: Data = { ...session, status: 'LOGOUT', logout_at: TIME, expired_at: TIME };

function organizationData(what: string): Data {
  return what === 'deleted' ? { ...organization, deleted_at: TIME } : organization;
}

function domain(what: string): Data {
  const failed = what === 'domain_dns_verification_failed';
  const status = failed ? 'FAILED' : what === 'domain_created' ? 'PENDING' : 'VERIFIED';
  return {
    id: 'dom_100000000000000013',
    domain: 'example.com',
    domain_type: 'ORGANIZATION_DOMAIN',
    organization_id: ORGANIZATION_ID,
    txt_record_key: '_gatewarden-challenge',
    txt_record_secret: 'TVRIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw',
    verification_status: status,
    verification_method: 'DNS',
    updated_at: TIME,
  };
}

function group(what: string): Data {
  const common = {
    id: 'dirgroup_100000000000000008',
    directory_id: DIRECTORY_ID,
    organization_id: ORGANIZATION_ID,
    display_name: 'Engineering',
  };
  return what === 'group_deleted'
    ? { ...common, dp_id: 'd4e5f6', raw_attributes: {} }
    : { ...common, external_id: 'd4e5f6', raw_attributes: {} };
}

function connectionData(what: string): Data {
  switch (what) {
    case 'sso_enabled':
      return { ...connection, enabled: true, status: 'COMPLETED' };
    case 'sso_disabled':
      return { ...connection, enabled: false, status: 'COMPLETED' };
    case 'certificate_expiring':
      return {
        ...connection,
        certificate_id: 'cert_100000000000000014',
        expires_at: '2026-02-14T09:30:00.000Z',
      };
    default:
      return connection;
  }
}
