import { wireText } from '../oauth/oauth-error.ts';
import { type PrivateUseSchemes, redirectUriProblem } from '../oauth/redirect-uri.ts';
import { displayName } from '../pages/plain-text.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import {
  type ClientDisplay,
  type ClientJwks,
  type TokenEndpointAuthMethod,
  usesSecret,
} from './client.ts';
import { jwksProblem } from './client-jwks.ts';

/** Client metadata (RFC 7591 section 2) after the checks: what is stored, the same for registrations, documents and admins. */
export type ClientMetadata = {
  readonly name: string;
  readonly applicationType: string | undefined;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly responseTypes: readonly string[];
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod;
  readonly assertionOptional: boolean;
  readonly metadata: ClientDisplay;
  readonly jwks: ClientJwks | undefined;
  readonly jwksUri: string | undefined;
};

export type MetadataCheck =
  | { readonly kind: 'valid'; readonly metadata: ClientMetadata }
  | {
      readonly kind: 'invalid';
      readonly code: 'invalid_redirect_uri' | 'invalid_client_metadata';
      readonly description: string;
    };

export type MetadataRules = {
  readonly privateUseSchemes: PrivateUseSchemes;
  readonly allowLoopback: boolean;
  /** AS-59: every registration is answered as a public client. */
  readonly publicOnly?: boolean | undefined;
};

export type JsonObject = Readonly<Record<string, unknown>>;

const MOST_REDIRECT_URIS = 20;
const LONGEST_NAME = 100;
const LONGEST_TEXT = 200;
const MOST_NAMES = 20;
const GRANT_TYPES = ['authorization_code', 'refresh_token'];
const METHODS: readonly string[] = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
];

/** A refusal on its way out of a check; never leaves this file. */
class Invalid extends Error {
  readonly code: 'invalid_redirect_uri' | 'invalid_client_metadata';
  constructor(code: 'invalid_redirect_uri' | 'invalid_client_metadata', description: string) {
    // Descriptions quote what a stranger wrote: they go to pages, events and the wire.
    super(wireText(description));
    this.code = code;
  }
}

const bad = (description: string): Invalid => new Invalid('invalid_client_metadata', description);

/**
 * Metadata of a dynamic registration (RFC 7591). Lenient where clients are sloppy and nothing depends on it: null and empty
 * text count as absent, unknown members and grant types are left out (AS-58 to AS-63).
 */
export function readRegistration(body: JsonObject, rules: MetadataRules): MetadataCheck {
  return checked(() => {
    const requested = methodOf(body['token_endpoint_auth_method']) ?? 'client_secret_basic';
    const method = rules.publicOnly ? 'none' : requested;
    return common(body, rules, { method, assertionOptional: false });
  });
}

/** Metadata of a document that was fetched from `url` (AS-75, AS-76). */
export function readDocument(
  document: JsonObject,
  url: string,
  rules: MetadataRules,
): MetadataCheck {
  return checked(() => {
    if (document['client_id'] !== url)
      throw bad('client_id in the document is not the URL it was fetched from');
    if ('client_secret' in document || 'client_secret_expires_at' in document)
      throw bad('a public document must not hold a client_secret');
    const metadata = common(document, rules, documentMethod(document));
    if (metadata.name === '') throw bad('client_name is missing or empty');
    return metadata;
  });
}

function checked(read: () => ClientMetadata): MetadataCheck {
  try {
    return { kind: 'valid', metadata: read() };
  } catch (error) {
    if (error instanceof Invalid)
      return { kind: 'invalid', code: error.code, description: error.message };
    throw error;
  }
}

type Method = { readonly method: TokenEndpointAuthMethod; readonly assertionOptional: boolean };

function common(
  body: JsonObject,
  rules: MetadataRules,
  { method, assertionOptional }: Method,
): ClientMetadata {
  const grantTypes = grantTypesOf(body['grant_types']);
  const redirectUris = redirectUrisOf(body['redirect_uris'], rules);
  const { jwks, jwksUri } = keysOf(body, rules);
  if (method === 'private_key_jwt' && !jwks && jwksUri === undefined)
    throw bad('private_key_jwt needs jwks or jwks_uri');
  return {
    name: nameOf(body['client_name'], 'client_name'),
    applicationType: shortText(body['application_type'], 50),
    redirectUris,
    grantTypes,
    responseTypes: responseTypesOf(body['response_types']),
    tokenEndpointAuthMethod: method,
    assertionOptional,
    metadata: displayOf(body),
    jwks,
    jwksUri,
  };
}

function methodOf(value: unknown): TokenEndpointAuthMethod | undefined {
  if (isAbsent(value)) return undefined;
  if (!isMethod(value))
    throw bad(`token_endpoint_auth_method must be one of ${METHODS.join(', ')}`);
  return value;
}

function isMethod(value: unknown): value is TokenEndpointAuthMethod {
  return typeof value === 'string' && METHODS.includes(value);
}

/**
 * AS-76: a document authenticates with none or private_key_jwt. Preferring or listing private_key_jwt makes an assertion
 * necessary, unless the list also has none. Without any statement it is a public client: a document cannot hold a secret.
 */
function documentMethod(document: JsonObject): Method {
  const preferred = methodOf(document['token_endpoint_auth_method']);
  if (preferred !== undefined && usesSecret(preferred))
    throw bad(`a metadata document cannot use ${preferred}`);
  const listed = document['token_endpoint_auth_methods_supported'];
  if (!isAbsent(listed) && !isStringList(listed))
    throw bad('token_endpoint_auth_methods_supported must be a list of strings');
  const supported = isStringList(listed) ? listed : [];
  if (preferred !== 'private_key_jwt' && !supported.includes('private_key_jwt'))
    return { method: 'none', assertionOptional: false };
  return { method: 'private_key_jwt', assertionOptional: supported.includes('none') };
}

/** AS-60. A client without the code grant has nothing to do here: machine clients are made by administrators. */
function grantTypesOf(value: unknown): string[] {
  if (isAbsent(value)) return ['authorization_code'];
  if (!isStringList(value)) throw bad('grant_types must be a list of strings');
  if (value.length === 0) return ['authorization_code'];
  const kept = GRANT_TYPES.filter((grant) => value.includes(grant));
  if (!kept.includes('authorization_code'))
    throw bad('grant_types must contain authorization_code');
  return kept;
}

function responseTypesOf(value: unknown): string[] {
  if (isAbsent(value)) return ['code'];
  if (!isStringList(value)) throw bad('response_types must be a list of strings');
  if (value.length > 0 && !value.includes('code')) throw bad('response_types must contain code');
  return ['code'];
}

/** AS-53, AS-54, AS-58. The URIs are kept as they came: clients compare what is echoed. */
function redirectUrisOf(value: unknown, rules: MetadataRules): string[] {
  const invalid = (description: string): Invalid =>
    new Invalid('invalid_redirect_uri', description);
  if (!isStringList(value)) throw invalid('redirect_uris must be a list of strings');
  if (value.length === 0 || value.length > MOST_REDIRECT_URIS)
    throw invalid(`redirect_uris must have 1 to ${MOST_REDIRECT_URIS} entries`);
  for (const uri of value) {
    const problem = redirectUriProblem(uri, rules);
    if (problem !== undefined)
      throw invalid(`${uri.slice(0, 200)} cannot be a redirect URI: ${problem}`);
  }
  return [...value];
}

function keysOf(
  body: JsonObject,
  rules: MetadataRules,
): { jwks: ClientJwks | undefined; jwksUri: string | undefined } {
  const jwks = isAbsent(body['jwks']) ? undefined : body['jwks'];
  const jwksUri = isAbsent(body['jwks_uri']) ? undefined : body['jwks_uri'];
  if (jwks !== undefined && jwksUri !== undefined)
    throw bad('jwks and jwks_uri must not be used together');
  if (jwksUri !== undefined) {
    const problem =
      typeof jwksUri === 'string' ? fetchUrlProblem(jwksUri, rules) : 'it is not a string';
    if (typeof jwksUri !== 'string' || problem !== undefined)
      throw bad(`jwks_uri cannot be used: ${problem}`);
    return { jwks: undefined, jwksUri };
  }
  if (jwks === undefined) return { jwks: undefined, jwksUri: undefined };
  const check = jwksProblem(jwks);
  if (check.kind === 'invalid') throw bad(`jwks cannot be used: ${check.problem}`);
  return { jwks: check.jwks, jwksUri: undefined };
}

/** AS-62: addresses that people may follow are http(s), or they are left out; the rest is plain text within limits. */
function displayOf(body: JsonObject): ClientDisplay {
  const names = Object.entries(body)
    .filter(([member]) => /^client_name#[A-Za-z0-9-]{1,35}$/.test(member))
    .slice(0, MOST_NAMES)
    .map(([member, value]) => [member.slice('client_name#'.length), nameOf(value, member)] as const)
    .filter(([, name]) => name !== '');
  const contacts = isStringList(body['contacts'])
    ? body['contacts']
        .map((contact) => displayName(contact, LONGEST_TEXT))
        .filter((contact) => contact !== '')
    : [];
  const display: ClientDisplay = {
    clientUri: webAddress(body['client_uri']),
    logoUri: webAddress(body['logo_uri']),
    tosUri: webAddress(body['tos_uri']),
    policyUri: webAddress(body['policy_uri']),
    names: names.length > 0 ? Object.fromEntries(names) : undefined,
    softwareId: shortText(body['software_id'], LONGEST_TEXT),
    softwareVersion: shortText(body['software_version'], LONGEST_TEXT),
    contacts: contacts.length > 0 ? contacts.slice(0, 10) : undefined,
  };
  return display;
}

function nameOf(value: unknown, member: string): string {
  if (isAbsent(value)) return '';
  if (typeof value !== 'string') throw bad(`${member} must be a string`);
  return displayName(value, LONGEST_NAME);
}

function webAddress(value: unknown): string | undefined {
  if (
    typeof value !== 'string' ||
    value.length > 2048 ||
    !/^https?:\/\/[\x21-\x7e]+$/i.test(value) ||
    !URL.canParse(value)
  )
    return undefined;
  const url = new URL(value);
  return url.username === '' && url.password === '' ? value : undefined;
}

function shortText(value: unknown, max: number): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = displayName(value, max);
  return text === '' ? undefined : text;
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

/** Null and empty text are what some clients write for "not set". */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}
