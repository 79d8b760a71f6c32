import { isDeepStrictEqual } from 'node:util';
import type { Environment } from '../environments/environments.ts';
import { resourceKey, serverUrlProblem, spellingsOf } from '../oauth/resource-indicator.ts';
import { isOpenIdScope } from '../oauth/scope.ts';
import { displayName } from '../pages/plain-text.ts';
import type { Ctx } from '../runtime/context.ts';
import { DEFAULT_MCP_SERVER_SETTINGS, type McpServerSettings } from './mcp-server-settings.ts';
import {
  clientAudiencesLike,
  isClientId,
  type McpServer,
  type McpServerScope,
  type McpServerScopeWrite,
  type McpServerWrite,
} from './mcp-servers.store.ts';

/** What an administrator may say about an MCP server. Absent members of a change stay as they are. */
export type McpServerInput = {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** An empty string takes it away. */
  readonly logoUri?: string | undefined;
  /** S; an empty string takes it away. */
  readonly serverUrl?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly accessTokenLifetime?: number | undefined;
  readonly refreshIdleLifetime?: number | undefined;
  readonly refreshAbsoluteLifetime?: number | undefined;
  readonly registrationEnabled?: boolean | undefined;
  readonly metadataDocumentsEnabled?: boolean | undefined;
  /** All scopes, in the order in which people see them. */
  readonly scopes?: readonly ScopeInput[] | undefined;
  /** Scopes that change; they must be among the server's. */
  readonly changedScopes?: readonly ScopeInput[] | undefined;
  /** A member that is there and undefined goes back to its default. */
  readonly settings?: Optional<McpServerSettings> | undefined;
};
export type ScopeInput = Optional<Omit<McpServerScopeWrite, 'name'>> & { readonly name: string };
type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A member that cannot be accepted, and why. */
export type McpServerProblem =
  | { readonly kind: 'invalid'; readonly field: string; readonly message: string }
  | { readonly kind: 'taken'; readonly field: string; readonly message: string };

export const DEFAULT_LIFETIMES = {
  accessToken: 3600,
  refreshIdle: 30 * 86_400,
  refreshAbsolute: 365 * 86_400,
} as const;

const SCOPE_NAME = /^[A-Za-z0-9_:]{1,64}$/;
const MOST_SCOPES = 100;
const LONGEST_LIFETIME = 3650 * 86_400;

const invalid = (field: string, message: string): McpServerProblem => ({
  kind: 'invalid',
  field,
  message,
});

/** The whole row after a change. */
export function applied(
  ctx: Ctx,
  current: McpServer | undefined,
  input: McpServerInput & { readonly id: string },
): McpServerWrite {
  const serverUrl =
    input.serverUrl === undefined ? current?.serverUrl : input.serverUrl || undefined;
  return {
    environmentId: ctx.environmentId,
    id: input.id,
    name: input.name ?? current?.name ?? '',
    description: input.description ?? current?.description ?? '',
    logoUri: input.logoUri === undefined ? current?.logoUri : input.logoUri || undefined,
    serverUrl,
    serverUrlKey: serverUrl === undefined ? undefined : resourceKey(serverUrl),
    enabled: input.enabled ?? current?.enabled ?? true,
    accessTokenLifetime:
      input.accessTokenLifetime ?? current?.accessTokenLifetime ?? DEFAULT_LIFETIMES.accessToken,
    refreshIdleLifetime:
      input.refreshIdleLifetime ?? current?.refreshIdleLifetime ?? DEFAULT_LIFETIMES.refreshIdle,
    refreshAbsoluteLifetime:
      input.refreshAbsoluteLifetime ??
      current?.refreshAbsoluteLifetime ??
      DEFAULT_LIFETIMES.refreshAbsolute,
    registrationEnabled: input.registrationEnabled ?? current?.registrationEnabled ?? true,
    metadataDocumentsEnabled:
      input.metadataDocumentsEnabled ?? current?.metadataDocumentsEnabled ?? true,
    settings: changedSettings({ ...current?.settings, ...input.settings }),
    now: ctx.now(),
  };
}

/** Only what differs from the defaults is kept, so that a better default reaches servers that never chose. */
function changedSettings(settings: Optional<McpServerSettings>): Partial<McpServerSettings> {
  const defaults: Readonly<Record<string, unknown>> = DEFAULT_MCP_SERVER_SETTINGS;
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([name, value]) => value !== undefined && !isDeepStrictEqual(value, defaults[name]),
    ),
  );
}

/** The first member that cannot be accepted. */
export async function problemOf(
  ctx: Ctx,
  environment: Environment,
  write: McpServerWrite,
  input: McpServerInput,
): Promise<McpServerProblem | undefined> {
  return (
    memberProblem(write) ??
    (input.serverUrl === undefined ? undefined : await urlProblem(ctx, environment, write)) ??
    settingsProblem(write.settings) ??
    scopesProblem(input.scopes)
  );
}

function memberProblem(write: McpServerWrite): McpServerProblem | undefined {
  const { accessTokenLifetime, refreshIdleLifetime, refreshAbsoluteLifetime } = write;
  if (write.name.length > 128 || displayName(write.name, 128) === '')
    return invalid('name', 'the name must have 1 to 128 characters, and some that can be seen');
  if (!isWithin(accessTokenLifetime, 60, 86_400))
    return invalid('access_token_expiry', 'the access token lifetime must be 60 to 86400 seconds');
  if (!isWithin(refreshAbsoluteLifetime, 60, LONGEST_LIFETIME))
    return invalid(
      'refresh_absolute_lifetime',
      `the absolute lifetime of refresh tokens must be 60 to ${LONGEST_LIFETIME} seconds`,
    );
  if (!isWithin(refreshIdleLifetime, 60, refreshAbsoluteLifetime))
    return invalid(
      'refresh_token_expiry',
      'the refresh token lifetime must be at least 60 seconds and not above the absolute lifetime',
    );
  if (write.logoUri !== undefined && !isAddress(write.logoUri, ['https:']))
    return invalid('logo_uri', 'the logo must be an https URL');
  return undefined;
}

/** AS-148: one name space for the audiences of an environment. */
async function urlProblem(
  ctx: Ctx,
  environment: Environment,
  { serverUrl, serverUrlKey }: McpServerWrite,
): Promise<McpServerProblem | undefined> {
  if (serverUrl === undefined) return undefined;
  const problem = serverUrlProblem(serverUrl, environment);
  if (problem !== undefined) return invalid('resource_uri', problem);
  if (await isClientId(ctx.db, { environmentId: ctx.environmentId, id: serverUrl }))
    return invalid('resource_uri', 'the Server URL must not be the id of a client');
  return serverUrlKey !== undefined && (await isClientAudience(ctx, serverUrlKey))
    ? invalid('resource_uri', 'the Server URL is the audience of a client of an organization')
    : undefined;
}

/** Whose tokens are for this address already could otherwise open the server with them until they end. */
async function isClientAudience({ db, environmentId }: Ctx, key: string): Promise<boolean> {
  const found = await clientAudiencesLike(db, { environmentId, texts: spellingsOf(key) });
  return found.some((audience) => resourceKey(audience) === key);
}

function settingsProblem(settings: Partial<McpServerSettings>): McpServerProblem | undefined {
  const ranges = { codeLifetime: [30, 600], refreshGrace: [0, 300], iatBackdate: [0, 10] } as const;
  for (const field of ['codeLifetime', 'refreshGrace', 'iatBackdate'] as const) {
    const value = settings[field];
    const [least, most] = ranges[field];
    if (value !== undefined && !isWithin(value, least, most))
      return invalid(field, `${field} must be a whole number from ${least} to ${most}`);
  }
  const documentation = settings.serviceDocumentation;
  if (documentation !== undefined && !isAddress(documentation, ['https:', 'http:']))
    return invalid('service_documentation', 'the documentation must be an http or https URL');
  return undefined;
}

function scopesProblem(scopes: McpServerInput['scopes']): McpServerProblem | undefined {
  if (!scopes) return undefined;
  if (scopes.length > MOST_SCOPES) return invalid('scopes', `at most ${MOST_SCOPES} scopes`);
  const wrong = scopes.find((scope) => !SCOPE_NAME.test(scope.name));
  if (wrong)
    return invalid(
      'scopes',
      `scope ${JSON.stringify(wrong.name.slice(0, 64))} must have 1 to 64 letters, digits, underscores or colons`,
    );
  if (scopes.some((scope) => isOpenIdScope(scope.name)))
    return invalid(
      'scopes',
      'openid, profile, email and offline_access belong to the authorization server (AS-47)',
    );
  return new Set(scopes.map((scope) => scope.name)).size === scopes.length
    ? undefined
    : invalid('scopes', 'a scope occurs twice');
}

/** All scopes after a change; absent when they stay as they are. */
export function appliedScopes(
  current: readonly McpServerScope[],
  input: McpServerInput,
): readonly McpServerScopeWrite[] | McpServerProblem | undefined {
  const known = (name: string) => current.find((scope) => scope.name === name);
  if (!input.changedScopes)
    return input.scopes?.map((scope) => completeScope(scope, known(scope.name)));
  const unknown = input.changedScopes.find((scope) => !known(scope.name));
  if (unknown)
    return invalid('scopes', `the MCP server has no scope ${JSON.stringify(unknown.name)}`);
  const changes = new Map(input.changedScopes.map((scope) => [scope.name, scope]));
  if (changes.size < input.changedScopes.length) return invalid('scopes', 'a scope occurs twice');
  return current.map((scope) =>
    completeScope(changes.get(scope.name) ?? { name: scope.name }, scope),
  );
}

/** A scope without a class counts as *change*, unless its last segment reads; only what is classed *see* is a default by itself (AS-44). */
function completeScope(scope: ScopeInput, known: McpServerScope | undefined): McpServerScopeWrite {
  const reads = ['read', 'list', 'get', 'view', 'search'].includes(
    scope.name.split(':').at(-1) ?? '',
  );
  const chosen = scope.class ?? known?.class ?? (reads ? 'see' : 'change');
  // A class that changes takes the default with it, unless that was said too: what may spend is never a default by accident.
  const reclassed = known !== undefined && known.class !== chosen;
  return {
    name: scope.name,
    class: chosen,
    isDefault:
      scope.isDefault ?? (reclassed ? chosen === 'see' : (known?.isDefault ?? chosen === 'see')),
    title: scope.title ?? known?.title ?? '',
    description: scope.description ?? known?.ownDescription ?? '',
  };
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function isAddress(text: string, schemes: readonly string[]): boolean {
  return URL.canParse(text) && schemes.includes(new URL(text).protocol) && !/\s/.test(text);
}
