/** Members of a payload by name, `?` for those that may be missing; `true` stands for any value. */
export type Shape = { readonly [name: string]: true | Shape };

export const ORGANIZATION: Shape = {
  id: true,
  display_name: true,
  'external_id?': true,
  region_code: true,
  create_time: true,
  update_time: true,
  metadata: true,
  settings: { features: true },
};

export const USER: Shape = {
  id: true,
  email: true,
  'external_id?': true,
  create_time: true,
  update_time: true,
  'last_login_time?': true,
  metadata: true,
  user_profile: {
    id: true,
    'name?': true,
    'given_name?': true,
    'family_name?': true,
    email_verified: true,
    'phone_number?': true,
    phone_number_verified: true,
    'picture?': true,
    'gender?': true,
    'locale?': true,
    'preferred_username?': true,
    groups: true,
    custom_attributes: true,
    metadata: true,
    external_identities: true,
  },
};

const SESSION: Shape = {
  session_id: true,
  user_id: true,
  'organization_id?': true,
  authenticated_organizations: true,
  created_at: true,
  updated_at: true,
  last_active_at: true,
  'idle_expires_at?': true,
  'absolute_expires_at?': true,
  'expired_at?': true,
  'logout_at?': true,
  status: true,
  device: {
    'browser?': true,
    'browser_version?': true,
    'os?': true,
    'os_version?': true,
    device_type: true,
    ip: true,
    user_agent: true,
    'location?': true,
  },
};

export const MEMBERSHIP: Shape = { organization: ORGANIZATION, user: USER };
export const SIGN_IN: Shape = { user: USER, user_session: SESSION };

export const DOMAIN: Shape = {
  id: true,
  domain: true,
  domain_type: true,
  organization_id: true,
  environment_id: true,
  'txt_record_key?': true,
  'txt_record_secret?': true,
  verification_status: true,
  verification_method: true,
  updated_at: true,
};

export const DIRECTORY: Shape = {
  id: true,
  organization_id: true,
  directory_type: true,
  provider: true,
  enabled: true,
  updated_at: true,
};

export const DELETED_PERSON: Shape = { id: true, organization_id: true, dp_id: true, email: true };
const FURTHER =
  'phone_number title department division cost_center employee_id user_type organization nickname profile picture address language locale zoneinfo';
export const PERSON: Shape = {
  ...DELETED_PERSON,
  active: true,
  'name?': true,
  given_name: true,
  family_name: true,
  preferred_username: true,
  groups: true,
  roles: true,
  ...Object.fromEntries(FURTHER.split(' ').map((name) => [`${name}?`, true])),
  custom_attributes: true,
  raw_attributes: true,
};

export const GROUP: Shape = {
  id: true,
  directory_id: true,
  organization_id: true,
  display_name: true,
  external_id: true,
  raw_attributes: true,
};
export const DELETED_GROUP: Shape = {
  id: true,
  directory_id: true,
  organization_id: true,
  display_name: true,
  dp_id: true,
  raw_attributes: true,
};

export const CONNECTION: Shape = {
  id: true,
  organization_id: true,
  connection_type: true,
  provider: true,
};
export const SWITCHED: Shape = { ...CONNECTION, enabled: true, status: true };
export const ROLE: Shape = {
  id: true,
  name: true,
  display_name: true,
  description: true,
  'extends?': true,
};
export const PERMISSION: Shape = { id: true, name: true, description: true };
