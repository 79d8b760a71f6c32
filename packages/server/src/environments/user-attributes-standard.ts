/** Who brings values of an attribute: a sign-in at an identity provider, or a directory. */
export type AttributeKind = 'sso' | 'directory';

export const DATATYPES = ['STRING', 'NUMBER', 'BOOL', 'ARRAY', 'OBJECT'] as const;
export type AttributeDatatype = (typeof DATATYPES)[number];

/** An attribute that is the same everywhere. */
export type StandardAttribute = {
  readonly key: string;
  readonly label: string;
  readonly datatype: AttributeDatatype;
  /** What assertions and claims call it; absent when only directories bring it. */
  readonly names?: { readonly saml: string; readonly oidc: string };
};

function text(key: string, label: string): StandardAttribute {
  return { key, label, datatype: 'STRING' };
}

const OF_BOTH: readonly StandardAttribute[] = [
  { ...text('email', 'Email address'), names: { saml: 'email', oidc: 'email' } },
  { ...text('given_name', 'First name'), names: { saml: 'givenname', oidc: 'given_name' } },
  { ...text('family_name', 'Last name'), names: { saml: 'familyname', oidc: 'family_name' } },
  { ...text('name', 'Full name'), names: { saml: 'name', oidc: 'name' } },
  {
    ...text('preferred_username', 'User name'),
    names: { saml: 'username', oidc: 'preferred_username' },
  },
  { ...text('phone_number', 'Phone number'), names: { saml: 'phone', oidc: 'phone_number' } },
  { ...text('picture', 'Picture'), names: { saml: 'picture', oidc: 'picture' } },
  { ...text('locale', 'Locale'), names: { saml: 'locale', oidc: 'locale' } },
  { ...text('zoneinfo', 'Time zone'), names: { saml: 'zoneinfo', oidc: 'zoneinfo' } },
];

const OF_DIRECTORIES: readonly StandardAttribute[] = [
  ...OF_BOTH.map(({ names: _names, ...attribute }) => attribute),
  { key: 'emails', label: 'All email addresses', datatype: 'ARRAY' },
  text('employee_id', 'Employee number'),
  text('title', 'Job title'),
  text('department', 'Department'),
  text('division', 'Division'),
  text('cost_center', 'Cost centre'),
  text('organization', 'Organization'),
  text('user_type', 'Kind of user'),
  text('manager', 'Manager'),
  text('nickname', 'Nickname'),
  text('profile', 'Profile page'),
  { key: 'address', label: 'Address', datatype: 'OBJECT' },
  text('language', 'Language'),
];

/** Names in events that no attribute of an application may take. */
const RESERVED = ['dp_id', 'active', 'groups', 'roles', 'custom_attributes', 'raw_attributes'];

/** What identity providers and directories are understood to bring without any setting. */
export function standardAttributes(kind: AttributeKind): readonly StandardAttribute[] {
  return kind === 'sso' ? OF_BOTH : OF_DIRECTORIES;
}

/** Whether a key is that of a standard attribute of this kind. */
export function isStandardAttribute(kind: AttributeKind, key: string): boolean {
  return standardAttributes(kind).some((attribute) => attribute.key === key);
}

/** Whether a new attribute may not have this key, in any case. */
export function isReservedKey(key: string): boolean {
  const lower = key.toLowerCase();
  return RESERVED.includes(lower) || OF_DIRECTORIES.some((attribute) => attribute.key === lower);
}
