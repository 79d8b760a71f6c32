import {
  type UserAttribute as Message,
  UserAttributeCategory,
  UserAttributeDatatype,
  type UserAttributeService,
} from '@gatewarden/contract/scalekit/v1/user_attributes/user_attributes_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { listUserAttributes, type UserAttribute } from './user-attributes.store.ts';
import {
  changeUserAttribute,
  createUserAttribute,
  deleteUserAttribute,
  MOST_ATTRIBUTES,
} from './user-attributes.ts';
import {
  type AttributeDatatype,
  type AttributeKind,
  DATATYPES,
  isReservedKey,
  isStandardAttribute,
  type StandardAttribute,
  standardAttributes,
} from './user-attributes-standard.ts';

/** Attributes of people: the standard ones, and those an application adds for sign-ins and for directories. */
export const userAttributesRpc: Slice<typeof UserAttributeService> = {
  createSsoUserAttribute: (ctx, { userAttribute }) => create(ctx, 'sso', userAttribute),
  listSsoUserAttributes: (ctx) => list(ctx, 'sso'),
  updateSsoUserAttribute: (ctx, { key, userAttribute }) => update(ctx, 'sso', key, userAttribute),
  deleteSsoUserAttribute: (ctx, { key }) => remove(ctx, 'sso', key),
  createDirectoryUserAttribute: (ctx, { userAttribute }) => create(ctx, 'directory', userAttribute),
  listDirectoryUserAttributes: (ctx) => list(ctx, 'directory'),
  updateDirectoryUserAttribute: (ctx, { key, userAttribute }) =>
    update(ctx, 'directory', key, userAttribute),
  deleteDirectoryUserAttribute: (ctx, { key }) => remove(ctx, 'directory', key),
};

async function create(ctx: Ctx, kind: AttributeKind, message: Message | undefined) {
  const attribute = read(kind, message);
  if (isReservedKey(attribute.key))
    throw invalidField('user_attribute.key', 'is that of a standard attribute', 'reserved');
  switch (await createUserAttribute(ctx, kind, attribute)) {
    case 'created':
      return { userAttribute: customMessage(kind, attribute) };
    case 'taken':
      throw invalidField(
        'user_attribute.key',
        'there is an attribute of this key already, and a duplicate is not allowed',
        'unique',
      );
    case 'too-many':
      throw new ApiError(
        'failed_precondition',
        'TOO_MANY_ATTRIBUTES',
        `an environment has at most ${MOST_ATTRIBUTES} attributes of each kind`,
      );
  }
}

async function list(ctx: Ctx, kind: AttributeKind) {
  const custom = await listUserAttributes(ctx.db, { environmentId: ctx.environmentId, kind });
  return {
    userAttributes: [
      ...standardAttributes(kind).map((attribute) => standardMessage(kind, attribute)),
      ...custom.map((attribute) => customMessage(kind, attribute)),
    ],
  };
}

async function update(ctx: Ctx, kind: AttributeKind, key: string, message: Message | undefined) {
  checkChangeable(kind, key);
  const sent = read(kind, message);
  if (sent.key.toLowerCase() !== key.toLowerCase())
    throw invalidField('user_attribute.key', 'the key of an attribute cannot be changed');
  const info = message?.additionalInfo.case === 'ssoAdditionInfo';
  const changed = await changeUserAttribute(ctx, kind, key, (current) =>
    info ? sent : { ...sent, samlMapping: current.samlMapping, oidcMapping: current.oidcMapping },
  );
  if (!changed) throw noSuchAttribute();
  return { userAttribute: customMessage(kind, changed) };
}

async function remove(ctx: Ctx, kind: AttributeKind, key: string) {
  checkChangeable(kind, key);
  switch (await deleteUserAttribute(ctx, kind, key)) {
    case 'deleted':
      return {};
    case 'unknown':
      throw noSuchAttribute();
    case 'in-use':
      throw new ApiError(
        'failed_precondition',
        'ATTRIBUTE_IN_USE',
        'the attribute cannot be deleted as a directory fills it',
      );
  }
}

function checkChangeable(kind: AttributeKind, key: string): void {
  checkText('', { key });
  if (isStandardAttribute(kind, key))
    throw invalidField('key', 'a standard attribute is as it is', 'reserved');
}

function read(kind: AttributeKind, message: Message | undefined): UserAttribute {
  if (!message) throw invalidField('user_attribute', 'is missing', 'required');
  const { key, label, enabled, required, additionalInfo } = message;
  checkText('user_attribute.', { label });
  const other = kind === 'sso' ? 'directoryUserAdditionalInfo' : 'ssoAdditionInfo';
  if (additionalInfo.case === other)
    throw invalidField(
      kind === 'sso'
        ? 'user_attribute.directory_user_additional_info'
        : 'user_attribute.sso_addition_info',
      'belongs to the other kind of attribute',
    );
  const names = additionalInfo.case === 'ssoAdditionInfo' ? additionalInfo.value : undefined;
  return {
    key,
    label,
    enabled,
    required,
    datatype: datatypeOf(message.datatype),
    samlMapping: names?.defaultSamlMapping || undefined,
    oidcMapping: names?.defaultOidcMapping || undefined,
  };
}

function datatypeOf(value: UserAttributeDatatype): AttributeDatatype {
  const found = DATATYPES.find((name) => UserAttributeDatatype[name] === value);
  if (!found)
    throw invalidField('user_attribute.datatype', 'is not a data type', 'enum.defined_only');
  return found;
}

function standardMessage(kind: AttributeKind, { key, label, datatype, names }: StandardAttribute) {
  return {
    key,
    label,
    datatype: UserAttributeDatatype[datatype],
    enabled: true,
    required: key === 'email',
    category: UserAttributeCategory.STANDARD,
    ...additional(kind, names?.saml, names?.oidc),
  };
}

function customMessage(kind: AttributeKind, attribute: UserAttribute) {
  const { key, label, datatype, enabled, required, samlMapping, oidcMapping } = attribute;
  return {
    key,
    label,
    enabled,
    required,
    datatype: UserAttributeDatatype[datatype],
    category: UserAttributeCategory.CUSTOM,
    ...additional(kind, samlMapping, oidcMapping),
  };
}

function additional(kind: AttributeKind, saml: string | undefined, oidc: string | undefined) {
  if (kind === 'directory')
    return { additionalInfo: { case: 'directoryUserAdditionalInfo' as const, value: {} } };
  const value = { defaultSamlMapping: saml ?? '', defaultOidcMapping: oidc ?? '' };
  return { additionalInfo: { case: 'ssoAdditionInfo' as const, value } };
}

function noSuchAttribute(): ApiError {
  return new ApiError('not_found', 'ATTRIBUTE_NOT_FOUND', 'there is no such attribute');
}
