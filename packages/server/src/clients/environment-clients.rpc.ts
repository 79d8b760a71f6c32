import type {
  ClientService,
  CreateClient,
  UpdateClient,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { changedMembers, checkId, checkText, invalidField } from '../http/request-checks.ts';
import { displayName } from '../pages/plain-text.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type ApplicationInput,
  applicationChanges,
  applicationProblem,
  isPublicType,
} from './application-input.ts';
import { applicationMessage, STORED_TYPES, typeOf } from './application-message.ts';
import type { ApplicationType } from './application-uris.ts';
import { isOfEnvironment } from './client.ts';
import { invalidMember, noSuchClient } from './client-refusals.ts';
import { type ClientRecord, findClientRecord, findClientRecords } from './clients.store.ts';
import { countEnvironmentClients, listEnvironmentClientIds } from './environment-clients.store.ts';
import { createClient, deleteClient, updateClient } from './manage-clients.ts';

/** The environment's own client, which is an application too, and further applications (FSA-2 to FSA-8). */
export const environmentClientsRpc: Slice<typeof ClientService> = {
  async listClient(ctx, request) {
    const types = typesOf(request.filter?.clientType ?? []);
    const list = JSON.stringify(['environment-clients', [...types].sort()]);
    const page = readPage(ctx, list, request);
    const { environmentId } = ctx;
    const by = {
      environmentId,
      withOwn: types.has('ENV'),
      applicationTypes: [...types].flatMap((type) => (type === 'ENV' ? [] : STORED_TYPES[type])),
    };
    const rows = await listEnvironmentClientIds(ctx.db, { ...by, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    const ids = items.map(({ id }) => id);
    const found = await findClientRecords(ctx.db, { environmentId, ids });
    const byId = new Map(found.map((record) => [record.client.id, record]));
    return {
      ...tokens,
      totalSize: await countEnvironmentClients(ctx.db, by),
      clients: ids.flatMap((id) => {
        const record = byId.get(id);
        return record && record.deletedAt === undefined ? [applicationMessage(record)] : [];
      }),
    };
  },

  /** The first secret of an application on a server comes with the answer, and only there. */
  async createClient(ctx, { client }) {
    if (!client) throw invalidField('client', 'is missing', 'required');
    const type = newTypeOf(client.clientType);
    const input = await inputOf(ctx, type, client, new Set(Object.keys(MEMBERS)));
    const created = await createClient(ctx, {
      ...applicationChanges(input),
      name: client.name,
      kind: 'application',
      applicationType: STORED_TYPES[type],
      tokenEndpointAuthMethod: isPublicType(type) ? 'none' : 'client_secret_basic',
    });
    if (created.kind === 'invalid') throw invalidMember(created);
    return { client: applicationMessage(await clientOf(ctx, created.client.id), created.secret) };
  },

  async getClient(ctx, { clientId }) {
    return { client: applicationMessage(await clientOf(ctx, clientId)) };
  },

  async updateClient(ctx, { clientId, client, mask }) {
    const before = await clientOf(ctx, clientId);
    if (!client) throw invalidField('client', 'is missing', 'required');
    const members = new Set(changedMembers(mask, client, MEMBERS));
    // Presence says that it was sent, also when it is empty.
    if (!mask && client.initiateLoginUri !== undefined) members.add('initiate_login_uri');
    const input = await inputOf(ctx, typeOf(before.client), client, members);
    const updated = await updateClient(ctx, clientId, (current) =>
      members.size === 0 ? {} : applicationChanges(input, current),
    );
    if (!updated) throw noSuchClient();
    if (updated.kind === 'invalid') throw invalidMember(updated);
    return { client: applicationMessage(await clientOf(ctx, clientId)) };
  },

  async deleteClient(ctx, { clientId }) {
    const { client } = await clientOf(ctx, clientId);
    if (client.kind === 'environment')
      throw new ApiError(
        'failed_precondition',
        'DEFAULT_APPLICATION',
        "the environment's own client cannot be deleted",
      );
    if (!(await deleteClient(ctx, clientId))) throw noSuchClient();
    return {};
  },
};

/** Members of a change, with what the generated code calls them. */
const MEMBERS = {
  name: 'name',
  post_login_uris: 'postLoginUris',
  post_logout_redirect_uris: 'postLogoutRedirectUris',
  back_channel_logout_uris: 'backChannelLogoutUris',
  initiate_login_uri: 'initiateLoginUri',
  access_token_expiry: 'accessTokenExpiry',
  scopes: 'scopes',
  custom_claims: 'customClaims',
  disallow_scalekit_api_access: 'disallowScalekitApiAccess',
  grant_types: 'grantTypes',
  enforce_pkce: 'enforcePkce',
} as const;

async function inputOf(
  ctx: Ctx,
  type: ApplicationType,
  sent: CreateClient | UpdateClient,
  members: ReadonlySet<string>,
): Promise<ApplicationInput> {
  const { name, postLoginUris, postLogoutRedirectUris, initiateLoginUri } = sent;
  checkText('client.', { name });
  if (members.has('name') && displayName(name, 128) === '')
    throw invalidField('client.name', 'must have something that can be seen', 'required');
  if (name.length > 128) throw invalidField('client.name', 'at most 128 characters', 'max_len');
  const given = <T>(member: keyof typeof MEMBERS, value: T): T | undefined =>
    members.has(member) ? value : undefined;
  const grantTypes = given('grant_types', sent.grantTypes);
  const input: ApplicationInput = {
    name: given('name', name),
    postLoginUris: given('post_login_uris', postLoginUris),
    postLogoutRedirectUris: given('post_logout_redirect_uris', postLogoutRedirectUris),
    backChannelLogoutUris: given('back_channel_logout_uris', sent.backChannelLogoutUris),
    initiateLoginUri: given('initiate_login_uri', initiateLoginUri ?? ''),
    accessTokenExpiry: given('access_token_expiry', sent.accessTokenExpiry),
    scopes: given('scopes', sent.scopes),
    customClaims: given('custom_claims', sent.customClaims),
    disallowApi: given('disallow_scalekit_api_access', sent.disallowScalekitApiAccess),
    grantTypes: grantTypes && grantTypes.length > 0 ? grantTypes : undefined,
    enforcePkce: given('enforce_pkce', sent.enforcePkce),
  };
  const invalid = await applicationProblem(ctx, type, input);
  if (invalid) throw invalidMember(invalid);
  return input;
}

const TYPES: readonly ApplicationType[] = ['ENV', 'WEB_APP', 'SPA', 'NTV'];

/** @throws {ApiError} invalid_argument */
function typesOf(sent: readonly string[]): ReadonlySet<ApplicationType> {
  if (sent.length === 0) return new Set(['ENV']);
  return new Set(
    sent.map((name, index) => {
      const type = TYPES.find((known) => known === name);
      if (type) return type;
      const description = `must be one of ${TYPES.join(', ')}`;
      throw invalidField(`filter.client_type[${index}]`, description, 'in');
    }),
  );
}

/** An environment has one client of its own, which it begins with. */
function newTypeOf(sent: string): Exclude<ApplicationType, 'ENV'> {
  const type = TYPES.find((known) => known === sent);
  if (type && type !== 'ENV') return type;
  throw invalidField('client.client_type', 'must be WEB_APP, SPA or NTV', 'in');
}

/** A live client of the environment itself: not one of an MCP server or an organization. */
async function clientOf(ctx: Ctx, id: string): Promise<ClientRecord> {
  checkId('client_id', id, 'skc');
  const found = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found || found.deletedAt || !isOfEnvironment(found.client)) throw noSuchClient();
  return found;
}
