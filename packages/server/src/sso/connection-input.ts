import { ApiError } from '../http/api-error.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import type { Connection, ConnectionType } from './connection.ts';
import type { GivenConfig } from './connection-settings.ts';
import type { ConnectionChanges, NewConnection } from './connections.ts';

/** A message of the contract as JSON: names of enums, and no members that are not there. */
export type Sent = Readonly<Record<string, unknown>>;

const OWN_TYPES: ReadonlySet<string> = new Set<ConnectionType>([
  ...(['OIDC', 'SAML', 'OAUTH', 'PASSWORDLESS', 'WEBAUTHN', 'TRUSTED_IDP'] as const),
]);
const PROVIDERS: ReadonlySet<string> = new Set([
  ...[
    'OKTA',
    'GOOGLE',
    'MICROSOFT_AD',
    'AUTH0',
    'ONELOGIN',
    'PING_IDENTITY',
    'JUMPCLOUD',
    'CUSTOM',
  ],
  ...[
    'GITHUB',
    'GITLAB',
    'LINKEDIN',
    'SALESFORCE',
    'MICROSOFT',
    'IDP_SIMULATOR',
    'SCALEKIT',
    'ADFS',
  ],
]);

const LONGEST_KEY_ID = 300;

/**
 * What is asked for: a type, and a provider by its name or by a key of its own.
 *
 * @throws {ApiError} invalid_argument; unimplemented for types that have nothing to do with signing in
 */
export function newConnection(sent: Sent | undefined): Omit<NewConnection, 'organizationId'> {
  if (!sent) throw invalidField('connection', 'is missing', 'required');
  const type = textIn(sent, 'type');
  if (type === undefined) throw invalidField('connection.type', 'is missing', 'required');
  if (!isOwnType(type)) throw notOffered(`connections of type ${type}`);
  return { type, ...providerOf(sent), keyId: keyIdIn(sent) };
}

function isOwnType(type: string): type is ConnectionType {
  return OWN_TYPES.has(type);
}

function providerOf(sent: Sent): Pick<Connection, 'provider' | 'providerKey'> {
  const given = textIn(sent, 'provider');
  const key = (textIn(sent, 'providerKey') ?? given ?? '').toUpperCase();
  if (!/^[A-Z0-9][A-Z0-9_-]{0,49}$/.test(key))
    throw invalidField('connection.provider_key', 'must be 1 to 50 letters, digits, _ and -');
  const provider = given ?? (PROVIDERS.has(key) ? key : 'CUSTOM');
  if (provider !== 'CUSTOM' && provider !== key)
    throw invalidField('connection.provider_key', `must be ${provider}, or be left out`);
  return { provider, providerKey: key };
}

/** What this server does not offer, whoever asks. */
export function notOffered(what: string): ApiError {
  return new ApiError('unimplemented', 'NOT_IMPLEMENTED', `this server does not have ${what}`);
}

const CONFIGS = /Config$/;

/**
 * What changes, given the connection as it is. Type and provider are what they were made as.
 *
 * @throws {ApiError} invalid_argument
 */
export function changesOf(sent: Sent | undefined, current: Connection): ConnectionChanges {
  if (!sent) throw invalidField('connection', 'is missing', 'required');
  const type = textIn(sent, 'type');
  if (type !== undefined && type !== current.type)
    throw invalidField('connection.type', 'cannot be changed');
  const provider = providerOf(sent);
  if (provider.provider !== current.provider)
    throw invalidField('connection.provider', 'cannot be changed');
  const debugEnabled = sent['debugEnabled'];
  const uiButtonTitle = sent['uiButtonTitle'];
  return {
    keyId: keyIdIn(sent),
    debugEnabled: typeof debugEnabled === 'boolean' ? debugEnabled : undefined,
    uiButtonTitle: typeof uiButtonTitle === 'string' ? titleOf(uiButtonTitle) : undefined,
    configurationType: configurationOf(sent['configurationType']),
    attributeMapping: mappingOf(sent['attributeMapping']),
    config: configOf(sent),
  };
}

function configurationOf(value: unknown): Connection['configurationType'] {
  if (value === undefined || value === 'DISCOVERY' || value === 'MANUAL') return value;
  throw invalidField('connection.configuration_type', 'must be DISCOVERY or MANUAL', 'in');
}

function titleOf(title: string): string {
  if ([...title].length <= 256 && !/\p{Cc}/u.test(title)) return title;
  throw invalidField('connection.ui_button_title', 'must have at most 256 characters, in one line');
}

/** All pairs at once; an empty mapping cannot be told from one that is not there. */
function mappingOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const pairs = Object.entries(value).map(([name, theirs]) => [name, String(theirs)] as const);
  if (pairs.length === 0) return undefined;
  checkText('connection.', { attribute_mapping: pairs.flat() });
  return Object.fromEntries(pairs);
}

function configOf(sent: Sent): GivenConfig | undefined {
  const found = Object.entries(sent).find(([name]) => CONFIGS.test(name));
  if (!found) return undefined;
  const [name, value] = found;
  if (typeof value !== 'object' || value === null) return undefined;
  return { name, value: Object.fromEntries(Object.entries(value)) };
}

/** An index has it, and takes no long ones. */
function keyIdIn(sent: Sent): string | undefined {
  const keyId = textIn(sent, 'keyId');
  if (keyId === undefined || [...keyId].length <= LONGEST_KEY_ID) return keyId;
  throw invalidField(
    'connection.key_id',
    `must have at most ${LONGEST_KEY_ID} characters`,
    'string.max_len',
  );
}

function textIn(sent: Sent, name: string): string | undefined {
  const value = sent[name];
  if (typeof value !== 'string' || value === '') return undefined;
  checkText('connection.', { [name]: value });
  return value;
}
