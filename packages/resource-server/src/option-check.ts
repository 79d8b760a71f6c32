import { ConfigurationError } from './errors.ts';
import type { McpServerOptions, TrustedIssuer } from './options.ts';

type Kind =
  | 'text'
  | 'texts'
  | 'flag'
  | 'number'
  | 'mapping'
  | 'function'
  | 'list'
  | 'checked later';

const serverOptions: Readonly<Record<keyof McpServerOptions, Kind>> = {
  environmentUrl: 'text',
  resourceId: 'text',
  issuers: 'list',
  serverUrl: 'text',
  resource: 'text',
  audiences: 'texts',
  path: 'text',
  extraPaths: 'texts',
  publicPaths: 'texts',
  scopes: 'checked later',
  baseScopes: 'texts',
  tools: 'mapping',
  defaultPolicy: 'text',
  highRiskTools: 'texts',
  methods: 'mapping',
  impliedScopes: 'mapping',
  wildcardScopes: 'flag',
  challengeIncludesGranted: 'flag',
  refuseLaterBatches: 'flag',
  hideUnpermittedTools: 'flag',
  checkMcpHeaders: 'flag',
  jsonRpcErrorBody: 'flag',
  bindSessions: 'flag',
  closeStreamOnExpiry: 'flag',
  proxyAsMetadata: 'flag',
  revocation: 'checked later',
  dpop: 'text',
  algorithms: 'texts',
  clockSkewSeconds: 'number',
  allowUntyped: 'flag',
  jwksUri: 'text',
  keys: 'checked later',
  name: 'text',
  documentationUrl: 'text',
  metadata: 'checked later',
  realm: 'text',
  allowedOrigins: 'checked later',
  allowedHosts: 'texts',
  checkOrigin: 'flag',
  maxBodyBytes: 'number',
  now: 'function',
  fetch: 'function',
  log: 'function',
};

const issuerOptions: Readonly<Record<keyof TrustedIssuer, Kind>> = {
  issuer: 'text',
  audiences: 'texts',
  jwksUri: 'text',
  keys: 'checked later',
  algorithms: 'texts',
  allowUntyped: 'flag',
};

/**
 * Checks what the compiler checks, for declarations it has not seen: a misspelled `defaultPolicy` or a flag
 * given as the text `false` would otherwise open what it was meant to close.
 *
 * @throws {ConfigurationError} invalid_option: an unknown option, or a value of another kind
 */
export function checkOptionKinds(options: McpServerOptions): void {
  checkKinds('the declaration', options, serverOptions);
  if (options.serverUrl === undefined)
    throw new ConfigurationError('invalid_url', 'serverUrl is missing');
  if (options.allowedOrigins !== undefined && options.allowedOrigins !== '*')
    checkKind('allowedOrigins', options.allowedOrigins, 'texts');
  for (const issuer of options.issuers ?? []) checkKinds('an issuer', issuer, issuerOptions);
}

function checkKinds(where: string, given: object, kinds: Readonly<Record<string, Kind>>): void {
  if (!isMapping(given))
    throw new ConfigurationError('invalid_option', `${where} is not an object`);
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined)
      throw new ConfigurationError('invalid_option', `${where} has the unknown option ${name}`);
    if (value !== undefined) checkKind(name, value, kind);
  }
}

function checkKind(name: string, value: unknown, kind: Kind): void {
  if (!hasKind(value, kind))
    throw new ConfigurationError('invalid_option', `${name} must be ${described[kind]}`);
}

const described: Readonly<Record<Kind, string>> = {
  text: 'a text',
  texts: 'a list of texts',
  flag: 'true or false',
  number: 'a number',
  mapping: 'an object',
  function: 'a function',
  list: 'a list',
  'checked later': '',
};

function hasKind(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'texts':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    case 'flag':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number';
    case 'mapping':
      return isMapping(value);
    case 'function':
      return typeof value === 'function';
    case 'list':
      return Array.isArray(value);
    case 'checked later':
      return true;
  }
}

/** An object with members of its own; the entries of a Map or of a list would be overlooked. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value);
}
