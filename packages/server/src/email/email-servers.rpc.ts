import {
  EmailServerProvider,
  EmailServerType,
  type EmailService,
} from '@gatewarden/contract/scalekit/v1/emails/emails_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type EmailServer,
  type EmailServerMembers,
  findServer,
  listDeliveries,
  listServers,
  SERVER_PROVIDERS,
  type ServerProvider,
} from './email-servers.store.ts';
import {
  changeServer,
  createServer,
  deleteServer,
  disableServer,
  enableServer,
  MOST_SERVERS,
  nameSender,
  putServer,
  type ServerOutcome,
} from './email-servers.ts';

/** The members that all three shapes of settings have. */
type Settings = {
  readonly host: string;
  readonly port: bigint;
  readonly username: string;
  readonly password: string;
  readonly fromEmail: string;
  readonly fromName: string;
};

/** Mail servers of an environment. What is shown of one never has its password. */
export const emailServersRpc: Slice<typeof EmailService> = {
  async createEmailServer(ctx, { provider, settings }) {
    const members = membersOf('settings', settings, providerOf('provider', provider));
    const password = settings?.password ?? '';
    if (password === '') throw invalidField('settings.password', 'is missing', 'required');
    return { server: written('settings', await createServer(ctx, { members, password })) };
  },

  async updateEmailServerSettings(ctx, { serverId, settings }) {
    checkServerId(serverId);
    const current = await serverOf(ctx, serverId);
    const members = membersOf('settings', settings, current.provider);
    const password = settings?.password || undefined;
    const outcome = await changeServer(ctx, serverId, { members, password });
    return { server: written('settings', outcome) };
  },

  async enableEmailServer(ctx, { serverId }) {
    checkServerId(serverId);
    const outcome = await enableServer(ctx, serverId);
    if (outcome.kind === 'unknown') throw noSuchServer();
    return {
      activeServerId: serverId,
      ...(outcome.last !== undefined && { lastActiveServerId: outcome.last }),
    };
  },

  async disableEmailServer(ctx, { serverId }) {
    checkServerId(serverId);
    if (!(await disableServer(ctx, serverId))) throw noSuchServer();
    return {};
  },

  async getEmailServer(ctx, { serverId }) {
    checkServerId(serverId);
    return { server: serverMessage(await serverOf(ctx, serverId)) };
  },

  async listEmailServers(ctx) {
    return { servers: (await listServers(ctx.db, ctx.environmentId)).map(serverMessage) };
  },

  async deleteEmailServer(ctx, { serverId }) {
    checkServerId(serverId);
    if (!(await deleteServer(ctx, serverId))) throw noSuchServer();
    return {};
  },

  getEmailConfiguration: (ctx) => configuration(ctx),

  async upsertEmailConfiguration(ctx, { defaultFromName, server }) {
    checkFromName('default_from_name', defaultFromName);
    if (server) {
      const id = server.id || undefined;
      if (id !== undefined) checkServerId(id, 'server.id');
      const path = 'server.settings';
      const outcome = await putServer(ctx, {
        id,
        members: membersOf(path, server.settings, providerOf('server.provider', server.provider)),
        password: server.settings?.password || undefined,
        enabled: server.enabled ?? false,
      });
      written(path, outcome);
    }
    await nameSender(ctx, defaultFromName);
    return await configuration(ctx);
  },
};

/** Who mails are from, and who delivers them. */
async function configuration(ctx: Ctx) {
  const [delivery] = await listDeliveries(ctx.db, [ctx.environmentId]);
  const own = delivery?.server;
  const { mail } = ctx.config;
  const address = mail && (/<([^<>]+)>\s*$/.exec(mail.from)?.[1] ?? mail.from.trim());
  return {
    defaultFromName: delivery?.defaultFromName ?? '',
    defaultFromAddress: address ?? `no-reply@${new URL(ctx.issuer).hostname}`,
    emailServerSelected: own
      ? EmailServerType.CUSTOMER
      : mail
        ? EmailServerType.INHOUSE
        : EmailServerType.UNSPECIFIED,
    ...(own && { server: serverMessage(own) }),
  };
}

async function serverOf(ctx: Ctx, id: string): Promise<EmailServer> {
  const found = await findServer(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found) throw noSuchServer();
  return found;
}

function checkServerId(id: string, field = 'server_id'): void {
  checkId(field, id, 'esr');
}

function membersOf(
  path: string,
  settings: Settings | undefined,
  provider: ServerProvider,
): EmailServerMembers {
  if (!settings) throw invalidField(path, 'is missing', 'required');
  const { username, password, fromEmail, fromName } = settings;
  const host = settings.host.toLowerCase().replace(/\.$/, '');
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(host) && !/^[0-9a-f:.]+$/.test(host))
    throw invalidField(`${path}.host`, 'is no name of a host', 'hostname');
  if (settings.port < 1n || settings.port > 65_535n)
    throw invalidField(`${path}.port`, 'must be 1 to 65535', 'range');
  if (/[\p{C}]/u.test(username + password))
    throw invalidField(`${path}.username`, 'and password must not have control characters', 'text');
  if (password.length > 255)
    throw invalidField(`${path}.password`, 'must have at most 255 characters', 'string.max_len');
  if (!/^[^\s@<>"(),:;\\[\]]+@[^\s@<>"(),:;\\[\]]+$/.test(fromEmail) || /[\p{C}]/u.test(fromEmail))
    throw invalidField(`${path}.from_email`, 'is no e-mail address', 'email');
  checkFromName(`${path}.from_name`, fromName);
  return { provider, host, port: Number(settings.port), username, fromEmail, fromName };
}

function checkFromName(field: string, name: string): void {
  checkText('', { [field]: name });
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(name) || name.length > 255)
    throw invalidField(field, 'must be one line of at most 255 characters', 'text');
}

function written(path: string, outcome: ServerOutcome) {
  switch (outcome.kind) {
    case 'written':
      return serverMessage(outcome.server);
    case 'unknown':
      throw noSuchServer();
    case 'too-many':
      throw new ApiError(
        'failed_precondition',
        'TOO_MANY_SERVERS',
        `an environment has at most ${MOST_SERVERS} mail servers`,
      );
    case 'blocked-host':
      throw invalidField(`${path}.host`, 'is not reachable from the public internet', 'address');
    case 'password-needed':
      throw invalidField(
        `${path}.password`,
        'is needed for a new server, and for another host or user name',
        'required',
      );
  }
}

function serverMessage(server: EmailServer) {
  const { id, enabled, host, port, username, fromEmail, fromName } = server;
  return {
    id,
    enabled,
    provider: EmailServerProvider[server.provider],
    updatedAt: timestampOf(server.updatedAt),
    settings: {
      case: 'smtpSettings' as const,
      value: { host, port: BigInt(port), username, fromEmail, fromName },
    },
  };
}

function providerOf(field: string, value: EmailServerProvider): ServerProvider {
  const found = SERVER_PROVIDERS.find((name) => EmailServerProvider[name] === value);
  if (!found) throw invalidField(field, 'is no provider', 'enum');
  return found;
}

function noSuchServer(): ApiError {
  return new ApiError('not_found', 'EMAIL_SERVER_NOT_FOUND', 'there is no such mail server');
}
