import type {
  McpServerSettingsService,
  McpServerSettings as Message,
  ScopeSettings,
} from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import { environmentOf } from '../environments/environments.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { changeMcpServer, type McpServerInput, type ScopeInput } from './manage-mcp-servers.ts';
import type { McpServerSettings } from './mcp-server-settings.ts';
import { findMcpServerRow, type McpServer, type ScopeClass } from './mcp-servers.store.ts';

/** What an administrator can set for an MCP server beyond the members of its resource. */
export const mcpServerSettingsRpc: Slice<typeof McpServerSettingsService> = {
  async getMcpServerSettings(ctx, { resourceId }) {
    checkId('resource_id', resourceId, 'res');
    const found = await findMcpServerRow(ctx.db, {
      environmentId: ctx.environmentId,
      id: resourceId,
    });
    if (!found || found.deletedAt !== undefined) throw noSuchServer();
    return { settings: await settingsOf(ctx, found) };
  },

  async updateMcpServerSettings(ctx, { resourceId, settings }) {
    checkId('resource_id', resourceId, 'res');
    if (!settings) throw invalidField('settings', 'is missing', 'required');
    const outcome = await changeMcpServer(ctx, resourceId, changesOf(settings));
    switch (outcome.kind) {
      case 'written':
        return { settings: await settingsOf(ctx, outcome.server) };
      case 'unknown':
        throw noSuchServer();
      case 'invalid':
      case 'taken':
        throw invalidField(`settings.${NAMES[outcome.field] ?? outcome.field}`, outcome.message);
    }
  },
};

/** Where a member goes by another name than in the resource or the code. */
const NAMES: Readonly<Record<string, string>> = {
  refresh_token_expiry: 'refresh_idle_lifetime',
  codeLifetime: 'code_lifetime',
  refreshGrace: 'refresh_grace',
  iatBackdate: 'iat_backdate',
};

function changesOf(message: Message): McpServerInput {
  const documentation = message.serviceDocumentation;
  checkText('settings.', {
    service_documentation: documentation ?? '',
    introspection_client_ids: message.introspectionClientIds?.values ?? [],
  });
  const strict = message.refreshGraceStrict;
  const settings = present({
    accessTokenIssuer: oneOf(['environment', 'resource'], message.accessTokenIssuer),
    accessTokenTyp: oneOf(['at+jwt', 'JWT'], message.accessTokenTyp),
    codeLifetime: message.codeLifetime,
    refreshGrace: message.refreshGrace,
    rotateConfidential: message.rotateConfidential,
    refreshPolicy: oneOf(['grant_type', 'offline_access'], message.refreshPolicy),
    dcrManagement: message.dcrManagement,
    registrationPerHourPerNetwork: message.registrationsPerHourPerNetwork,
    registrationPerHour: message.registrationsPerHour,
    privateUseSchemes: oneOf(['known', 'allow', 'deny'], message.privateUseSchemes),
    allowUnregisteredResource: message.allowUnregisteredResource,
    requireResource: message.requireResource,
    resourceCoversPaths: message.resourceCoversPaths,
    rememberNativeConsent: message.rememberNativeConsent,
    userinfoForMcp: message.userinfoForMcp,
    revokePublicClients: message.revokePublicClients,
    iatBackdate: message.iatBackdate,
    allowedClientHosts: unique(message.allowedClientHosts?.values),
    blockedClientHosts: unique(message.blockedClientHosts?.values),
    introspectionClientIds: unique(message.introspectionClientIds?.values),
  });
  return {
    enabled: message.enabled,
    refreshIdleLifetime: message.refreshIdleLifetime,
    refreshAbsoluteLifetime: message.refreshAbsoluteLifetime,
    settings: {
      ...settings,
      // Here undefined is a value: no statement, no documentation.
      ...(strict === undefined ? {} : { refreshGraceStrict: STRICT[strict] }),
      ...(documentation === undefined ? {} : { serviceDocumentation: documentation || undefined }),
    },
    changedScopes: message.scopes.length === 0 ? undefined : message.scopes.map(scopeChange),
  };
}

const STRICT: Readonly<Record<string, boolean | undefined>> = {
  auto: undefined,
  on: true,
  off: false,
};

function scopeChange(scope: ScopeSettings): ScopeInput {
  const { name, title, description, isDefault } = scope;
  checkText('settings.scopes.', { title: title ?? '', description: description ?? '' });
  const scopeClass: ScopeClass | undefined = oneOf(
    ['see', 'change', 'delete_or_spend'],
    scope.class,
  );
  return { name, title, description, isDefault, class: scopeClass };
}

async function settingsOf(ctx: Ctx, server: McpServer) {
  const { settings } = server;
  const { limits } = (await environmentOf(ctx)).settings;
  return {
    ...settings,
    enabled: server.enabled,
    refreshIdleLifetime: server.refreshIdleLifetime,
    refreshAbsoluteLifetime: server.refreshAbsoluteLifetime,
    refreshGraceStrict: strictText(settings.refreshGraceStrict),
    registrationsPerHourPerNetwork:
      settings.registrationPerHourPerNetwork ?? limits.registrationPerHourPerNetwork,
    registrationsPerHour: settings.registrationPerHour ?? limits.registrationPerHourPerServer,
    introspectionClientIds: { values: [...settings.introspectionClientIds] },
    allowedClientHosts: { values: [...settings.allowedClientHosts] },
    blockedClientHosts: { values: [...settings.blockedClientHosts] },
    scopes: server.scopes.map(({ name, class: scopeClass, isDefault, title, ownDescription }) => ({
      name,
      class: scopeClass,
      isDefault,
      title,
      description: ownDescription,
    })),
    ...(server.refusedResource === undefined ? {} : { refusedResource: server.refusedResource }),
  };
}

function strictText(strict: McpServerSettings['refreshGraceStrict']): string {
  if (strict === undefined) return 'auto';
  return strict ? 'on' : 'off';
}

/** The value, which the contract's own rules have checked already. */
function oneOf<const T extends string>(
  values: readonly T[],
  value: string | undefined,
): T | undefined {
  return values.find((candidate) => candidate === value);
}

function unique(values: readonly string[] | undefined): readonly string[] | undefined {
  return values && [...new Set(values)];
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the members that were not sent. */
function present<T extends Readonly<Record<string, unknown>>>(members: T): Present<T> {
  // What is left has no undefined.
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as Present<T>;
}

function noSuchServer(): ApiError {
  return new ApiError('not_found', 'RESOURCE_NOT_FOUND', 'there is no such resource');
}
