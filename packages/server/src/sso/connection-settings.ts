import { checkJson, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Connection, ConnectionSettings, ConnectionType } from './connection.ts';
import { oauthRedirectUri, oidcUrls, partnerCallback, samlUrls } from './connection-urls.ts';
import { addressProblem } from './idp-address.ts';
import { readCertificates } from './idp-certificates.ts';

/** What a member may hold. A list of texts: one of these. Two numbers: a whole number in between. */
type Rule =
  | 'address'
  | 'text'
  | 'texts'
  | 'flag'
  | 'secret'
  | 'certificates'
  /** Ours to say: what comes in is not looked at. */
  | 'ours'
  | readonly string[]
  | readonly [number, number];
type Rules = Readonly<Record<string, Rule>>;

const PROFILE = { syncUserProfileOnLogin: 'flag', jitProvisioningWithSsoEnabled: 'flag' } as const;

const OIDC: Rules = {
  ...PROFILE,
  issuer: 'address',
  discoveryEndpoint: 'address',
  authorizeUri: 'address',
  tokenUri: 'address',
  userInfoUri: 'address',
  jwksUri: 'address',
  clientId: 'text',
  clientSecret: 'secret',
  scopes: 'texts',
  tokenAuthType: ['URL_PARAMS', 'BASIC_AUTH'],
  pkceEnabled: 'flag',
  idpLogoutRequired: 'flag',
  redirectUri: 'ours',
  postLogoutRedirectUri: 'ours',
  backchannelLogoutRedirectUri: 'ours',
};

const BINDINGS = ['HTTP_POST', 'HTTP_REDIRECT'];

const SAML: Rules = {
  ...PROFILE,
  idpMetadataUrl: 'address',
  idpEntityId: 'text',
  idpSsoUrl: 'address',
  idpSloUrl: 'address',
  idpCertificate: 'certificates',
  uiButtonTitle: 'text',
  idpNameIdFormat: ['UNSPECIFIED', 'EMAIL', 'TRANSIENT', 'PERSISTENT'],
  idpSsoRequestBinding: BINDINGS,
  idpSloRequestBinding: BINDINGS,
  // Not NO_SIGNING: whoever can send a browser here could sign in as anybody (SSO-19).
  samlSigningOption: [
    'SAML_ONLY_RESPONSE_SIGNING',
    'SAML_ONLY_ASSERTION_SIGNING',
    'SAML_RESPONSE_ASSERTION_SIGNING',
    'SAML_RESPONSE_OR_ASSERTION_SIGNING',
  ],
  forceAuthn: 'flag',
  defaultRedirectUri: 'address',
  assertionEncrypted: 'flag',
  wantRequestSigned: 'flag',
  idpSloRequired: 'flag',
  spEntityId: 'text',
};

const OAUTH: Rules = {
  authorizeUri: 'address',
  tokenUri: 'address',
  userInfoUri: 'address',
  clientId: 'text',
  clientSecret: 'secret',
  scopes: 'texts',
  pkceEnabled: 'flag',
  prompt: 'text',
  accessType: 'text',
  customScopeName: 'text',
  syncUserProfileOnLogin: 'flag',
  tokenAccessType: 'text',
  tenantId: 'text',
  redirectUri: 'ours',
  isCimd: 'ours',
};

const PASSWORDLESS: Rules = {
  type: ['LINK', 'OTP', 'LINK_OTP'],
  frequency: [1, 100],
  validity: [30, 86_400],
  enforceSameBrowserOrigin: 'flag',
  codeChallengeLength: [6, 12],
  codeChallengeType: ['NUMERIC', 'ALPHANUMERIC'],
  regeneratePasswordlessCredentialsOnResend: 'flag',
};

/** The members of the contract's `settings` that a type has, with the rules for what is in them. */
const CONFIGS: Readonly<Record<ConnectionType, Readonly<Record<string, Rules>>>> = {
  OIDC: { oidcConfig: OIDC },
  SAML: { samlConfig: SAML },
  OAUTH: { oauthConfig: OAUTH },
  PASSWORDLESS: { passwordlessConfig: PASSWORDLESS },
  WEBAUTHN: {},
  TRUSTED_IDP: {
    oauthConfig: { authorizeUri: 'address', redirectUri: 'ours' },
    oidcConfig: {
      issuer: 'address',
      discoveryEndpoint: 'address',
      jwksUri: 'address',
      redirectUri: 'ours',
      postLogoutRedirectUri: 'ours',
      backchannelLogoutRedirectUri: 'ours',
    },
  },
};

const LONGEST_TEXT = 2_048;
const MOST_TEXTS = 100;
/** Characters as JSON. */
const LONGEST_PASSKEY_SETTINGS = 16_384;

/** A part of a request in the JSON of the contract; absent members are not in it. */
export type GivenConfig = {
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
};

export type ChangedSettings = {
  readonly settings: ConnectionSettings;
  /** Absent: stays as it is; empty: taken away. */
  readonly clientSecret?: string | undefined;
};

/**
 * The settings after a change: members that are there replace those of before, an empty text takes one away, and what is not
 * mentioned stays.
 *
 * @throws {ApiError} invalid_argument
 */
export function changedSettings(
  ctx: Ctx,
  connection: Pick<Connection, 'id' | 'type' | 'settings'>,
  given: GivenConfig | undefined,
): ChangedSettings {
  const { type, settings } = connection;
  if (!given) return { settings };
  const path = `connection.${snakeCase(given.name)}`;
  if (type === 'WEBAUTHN' && given.name === 'webauthnConfig') {
    checkJson(path, given.value, LONGEST_PASSKEY_SETTINGS);
    return { settings: { webauthn: given.value } };
  }
  const rules = CONFIGS[type][given.name];
  if (!rules) throw invalidField(path, `a connection of type ${type} has no such settings`);
  // A trusted identity provider is of one kind or the other.
  const stay = Object.entries(settings).filter(
    ([name]) => type !== 'TRUSTED_IDP' || Object.hasOwn(rules, name),
  );
  const next = new Map<string, unknown>(stay);
  let clientSecret: string | undefined;
  for (const [name, value] of Object.entries(given.value)) {
    const field = `${path}.${snakeCase(name)}`;
    const rule = ruleOf(ctx, connection, rules, { name, field, value });
    if (rule === 'ours') continue;
    if (rule === 'certificates') next.set('idpCertificates', certificatesOf(ctx, field, value));
    else if (rule === 'secret') clientSecret = textOf(field, value);
    else next.set(name, checked(field, rule, value));
  }
  const kept = [...next].filter(([, value]) => value !== '' && value !== undefined);
  return { settings: Object.fromEntries(kept), clientSecret };
}

type Member = { readonly name: string; readonly field: string; readonly value: unknown };

function ruleOf(
  ctx: Ctx,
  connection: Pick<Connection, 'id'>,
  rules: Rules,
  { name, field, value }: Member,
): Rule {
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (rule !== undefined) return rule;
  const { assertionUrl, sloUrl } = samlUrls(ctx, connection);
  const own: Readonly<Record<string, unknown>> = { spAssertionUrl: assertionUrl, spSloUrl: sloUrl };
  if (value === '' || value === false || own[name] === value) return 'ours';
  // What would be kept and have no effect is refused: nobody must believe that it holds.
  throw invalidField(field, 'this server does not support it', 'unsupported');
}

function checked(field: string, rule: Exclude<Rule, 'ours' | 'certificates'>, value: unknown) {
  if (typeof rule !== 'string') return oneOf(field, rule, value);
  switch (rule) {
    case 'flag':
      return value === true;
    case 'texts': {
      const texts = Array.isArray(value) ? value : [value];
      if (texts.length > MOST_TEXTS) throw invalidField(field, `must be at most ${MOST_TEXTS}`);
      return texts.map((text) => textOf(field, text));
    }
    default:
      return textOf(field, value);
  }
}

function oneOf(field: string, rule: readonly string[] | readonly [number, number], value: unknown) {
  const [least, most] = rule;
  if (typeof least === 'number' && typeof most === 'number') {
    const fits = typeof value === 'number' && value >= least && value <= most;
    if (!fits) throw invalidField(field, `must be from ${least} to ${most}`, 'range');
    return value;
  }
  if (rule.some((choice) => choice === value)) return value;
  throw invalidField(field, `must be one of ${rule.join(', ')}`, 'in');
}

function textOf(field: string, value: unknown): string {
  const text = typeof value === 'string' ? value.trim() : undefined;
  if (text === undefined || text.length > LONGEST_TEXT || /\p{Cc}/u.test(text))
    throw invalidField(field, `must be a text of at most ${LONGEST_TEXT} characters`, 'text');
  return text;
}

function certificatesOf(ctx: Ctx, field: string, value: unknown) {
  if (value === '') return undefined;
  const certificates = typeof value === 'string' ? readCertificates(ctx, value) : undefined;
  if (certificates) return certificates;
  throw invalidField(
    field,
    'must be one to ten X.509 certificates in PEM or base64, RSA of 2048 to 8192 bits or EC with P-256, P-384 or P-521',
    'certificate',
  );
}

/**
 * Whether all addresses may be used, also those of before: what was fine for debugging is not afterwards.
 *
 * @throws {ApiError} invalid_argument
 */
export function checkAddresses(
  ctx: Ctx,
  { type, settings, debugEnabled }: Pick<Connection, 'type' | 'settings' | 'debugEnabled'>,
): void {
  const values: Readonly<Record<string, unknown>> = settings;
  for (const [config, rules] of Object.entries(CONFIGS[type]))
    for (const [name, rule] of Object.entries(rules)) {
      const value = values[name];
      if (rule !== 'address' || typeof value !== 'string') continue;
      const problem = addressProblem(ctx, value, debugEnabled);
      if (problem !== undefined)
        throw invalidField(`connection.${snakeCase(config)}.${snakeCase(name)}`, problem, 'uri');
    }
}

/** The settings as answers have them: with our own addresses, and never with a secret. */
export function settingsAnswer(
  ctx: Pick<Ctx, 'issuer'>,
  connection: Connection,
): Readonly<Record<string, unknown>> {
  const { type, settings } = connection;
  switch (type) {
    case 'OIDC': {
      const { redirectUri, postLogoutRedirectUri, backchannelLogoutUri } = oidcUrls(
        ctx,
        connection,
      );
      const logout = { postLogoutRedirectUri, backchannelLogoutRedirectUri: backchannelLogoutUri };
      return { oidcConfig: { ...settings, ...logout, redirectUri } };
    }
    case 'SAML': {
      const { entityId, assertionUrl, sloUrl } = samlUrls(ctx, connection);
      const own = { spAssertionUrl: assertionUrl, spMetadataUrl: entityId, spSloUrl: sloUrl };
      return { samlConfig: { spEntityId: entityId, ...settings, ...own } };
    }
    case 'OAUTH':
      return { oauthConfig: { ...settings, redirectUri: oauthRedirectUri(ctx, connection) } };
    case 'PASSWORDLESS':
      return { passwordlessConfig: settings };
    case 'WEBAUTHN':
      return { webauthnConfig: settings.webauthn ?? {} };
    case 'TRUSTED_IDP': {
      const { issuer, discoveryEndpoint, jwksUri } = settings;
      return (issuer ?? discoveryEndpoint ?? jwksUri)
        ? { oidcConfig: settings }
        : { oauthConfig: { ...settings, redirectUri: partnerCallback(ctx, connection) } };
    }
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
