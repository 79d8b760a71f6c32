import { environmentOf } from '../environments/environments.ts';
import { recordFor } from '../events/events.ts';
import { resourceKey, serverUrlProblem } from '../oauth/resource-indicator.ts';
import { ensurePermissions } from '../roles/permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import type { McpServerSettings } from './mcp-server-settings.ts';
import {
  findMcpServerRow,
  insertMcpServer,
  type McpServer,
  type McpServerScope,
  type McpServerWrite,
  replaceMcpServerScopes,
  updateMcpServer as writeMcpServer,
} from './mcp-servers.store.ts';

/** What an administrator may say about an MCP server. Absent members of a change stay as they are. */
export type McpServerInput = {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly logoUri?: string | undefined;
  /** S; an empty string takes it away. */
  readonly serverUrl?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly accessTokenLifetime?: number | undefined;
  readonly refreshIdleLifetime?: number | undefined;
  readonly registrationEnabled?: boolean | undefined;
  readonly metadataDocumentsEnabled?: boolean | undefined;
  readonly scopes?: readonly ScopeInput[] | undefined;
  readonly settings?: Partial<McpServerSettings> | undefined;
};
export type ScopeInput = Partial<Omit<McpServerScope, 'name'>> & { readonly name: string };

export type McpServerOutcome =
  | { readonly kind: 'written'; readonly server: McpServer }
  | { readonly kind: 'invalid'; readonly field: string; readonly message: string }
  | { readonly kind: 'taken'; readonly field: string; readonly message: string }
  | { readonly kind: 'unknown' };

const SCOPE_NAME = /^[A-Za-z0-9_:]{1,64}$/;
const MOST_SCOPES = 100;

/** Registers an MCP server. Its id is new and never used again (AS-13). */
export async function createMcpServer(ctx: Ctx, input: McpServerInput): Promise<McpServerOutcome> {
  const id = newId(ctx, 'res');
  const write = applied(ctx, undefined, { ...input, id });
  return await save(ctx, write, input, 'mcp_server.created', async (db) => {
    await insertMcpServer(db, write);
    return true;
  });
}

/** Changes an MCP server: only the given members. */
export async function changeMcpServer(
  ctx: Ctx,
  id: string,
  input: McpServerInput,
): Promise<McpServerOutcome> {
  const current = await findMcpServerRow(ctx.db, { environmentId: ctx.environmentId, id });
  if (!current || current.deletedAt !== undefined) return { kind: 'unknown' };
  const write = applied(ctx, current, { ...input, id });
  return await save(
    ctx,
    write,
    input,
    'mcp_server.updated',
    async (db) => await writeMcpServer(db, write),
  );
}

async function save(
  ctx: Ctx,
  write: McpServerWrite,
  input: McpServerInput,
  type: string,
  write_: (db: Ctx['db']) => Promise<boolean>,
): Promise<McpServerOutcome> {
  const problem = (await problemOf(ctx, write)) ?? scopesProblem(input.scopes);
  if (problem) return problem;
  try {
    return await ctx.db.transaction(async (tx) => {
      if (!(await write_(tx))) return { kind: 'unknown' };
      if (input.scopes) {
        const previous = await findMcpServerRow(tx, {
          environmentId: ctx.environmentId,
          id: write.id,
        });
        const scopes = input.scopes.map((scope) =>
          completeScope(
            scope,
            previous?.scopes.find((known) => known.name === scope.name),
          ),
        );
        await ensurePermissions(tx, {
          environmentId: ctx.environmentId,
          permissions: scopes.map(({ name }) => ({ id: newId(ctx, 'perm'), name })),
          now: ctx.now(),
        });
        await replaceMcpServerScopes(tx, {
          environmentId: ctx.environmentId,
          mcpServerId: write.id,
          scopes,
        });
      }
      await recordFor({ ...ctx, db: tx }, { type, mcpServerId: write.id });
      const server = await findMcpServerRow(tx, { environmentId: ctx.environmentId, id: write.id });
      return server ? { kind: 'written', server } : { kind: 'unknown' };
    });
  } catch (error) {
    if (isUniqueViolation(error, 'mcp_servers_by_url'))
      return {
        kind: 'taken',
        field: 'resource_uri',
        message: 'another MCP server of this environment has this Server URL',
      };
    throw error;
  }
}

function applied(
  ctx: Ctx,
  current: McpServer | undefined,
  input: McpServerInput & { id: string },
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
    accessTokenLifetime: input.accessTokenLifetime ?? current?.accessTokenLifetime ?? 3600,
    refreshIdleLifetime: input.refreshIdleLifetime ?? current?.refreshIdleLifetime ?? 30 * 86_400,
    refreshAbsoluteLifetime: current?.refreshAbsoluteLifetime ?? 365 * 86_400,
    registrationEnabled: input.registrationEnabled ?? current?.registrationEnabled ?? true,
    metadataDocumentsEnabled:
      input.metadataDocumentsEnabled ?? current?.metadataDocumentsEnabled ?? true,
    settings: { ...current?.settings, ...input.settings },
    now: ctx.now(),
  };
}

async function problemOf(ctx: Ctx, write: McpServerWrite): Promise<McpServerOutcome | undefined> {
  const invalid = (field: string, message: string): McpServerOutcome => ({
    kind: 'invalid',
    field,
    message,
  });
  if (write.name.trim() === '' || write.name.length > 128)
    return invalid('name', 'the name must have 1 to 128 characters');
  if (write.accessTokenLifetime < 60 || write.accessTokenLifetime > 86_400)
    return invalid('access_token_expiry', 'the access token lifetime must be 60 to 86400 seconds');
  if (write.refreshIdleLifetime < 60 || write.refreshIdleLifetime > write.refreshAbsoluteLifetime)
    return invalid(
      'refresh_token_expiry',
      'the refresh token lifetime must be at least 60 seconds and not above the absolute lifetime',
    );
  if (write.logoUri !== undefined && !write.logoUri.startsWith('https://'))
    return invalid('logo_uri', 'the logo must be an https URL');
  if (write.serverUrl !== undefined) {
    const problem = serverUrlProblem(write.serverUrl, await environmentOf(ctx));
    if (problem !== undefined) return invalid('resource_uri', problem);
  }
  return settingsProblem(write.settings);
}

function settingsProblem(settings: Partial<McpServerSettings>): McpServerOutcome | undefined {
  const ranges = { codeLifetime: [30, 600], refreshGrace: [0, 300], iatBackdate: [0, 10] } as const;
  for (const [field, [least, most]] of Object.entries(ranges)) {
    const value = settings[field as keyof typeof ranges];
    if (value !== undefined && (!Number.isInteger(value) || value < least || value > most))
      return {
        kind: 'invalid',
        field,
        message: `${field} must be a whole number from ${least} to ${most}`,
      };
  }
  return undefined;
}

function scopesProblem(scopes: McpServerInput['scopes']): McpServerOutcome | undefined {
  if (!scopes) return undefined;
  if (scopes.length > MOST_SCOPES)
    return { kind: 'invalid', field: 'scopes', message: `at most ${MOST_SCOPES} scopes` };
  const wrong = scopes.find((scope) => !SCOPE_NAME.test(scope.name));
  if (wrong)
    return {
      kind: 'invalid',
      field: 'scopes',
      message: `scope ${JSON.stringify(wrong.name.slice(0, 64))} must have 1 to 64 letters, digits, underscores or colons`,
    };
  if (scopes.some((scope) => ['openid', 'profile', 'email', 'offline_access'].includes(scope.name)))
    return {
      kind: 'invalid',
      field: 'scopes',
      message:
        'openid, profile, email and offline_access belong to the authorization server (AS-47)',
    };
  return new Set(scopes.map((scope) => scope.name)).size === scopes.length
    ? undefined
    : { kind: 'invalid', field: 'scopes', message: 'a scope occurs twice' };
}

/** A scope without a class counts as *change*, unless its last segment reads; only what is classed *see* is a default by itself (AS-44). */
function completeScope(scope: ScopeInput, known: McpServerScope | undefined): McpServerScope {
  const reads = ['read', 'list', 'get', 'view', 'search'].includes(
    scope.name.split(':').at(-1) ?? '',
  );
  const chosen = scope.class ?? known?.class ?? (reads ? 'see' : 'change');
  return {
    name: scope.name,
    class: chosen,
    isDefault: scope.isDefault ?? known?.isDefault ?? chosen === 'see',
    title: scope.title ?? known?.title ?? '',
    description: scope.description ?? known?.description ?? '',
  };
}
