import http2 from 'node:http2';
import type { TestContext } from 'node:test';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { App } from '../runtime/context.ts';
import { createLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { DatabaseUnavailable } from '../storage/db.ts';
import { ApiError } from './api-error.ts';
import type { AuthenticateCaller } from './callers.ts';
import { createCalls, type Slice, service } from './calls.ts';
import { mountConnect } from './connect.ts';
import { mountRest } from './rest.ts';
import { start } from './test-edge.ts';

/** For the tests of this folder: the only good token is `good`; `organization` is a good one of somebody else. */
const authenticateCaller: AuthenticateCaller = async (_ctx, headers) => {
  const token = /^Bearer (.*)$/.exec(headers.get('authorization') ?? '')?.[1];
  if (token === 'organization') {
    throw new ApiError(
      'permission_denied',
      'PERMISSION_DENIED',
      'this client may not use the management API',
    );
  }
  if (token === undefined) throw new ApiError('unauthenticated', 'UNAUTHENTICATED', 'Token empty');
  if (token !== 'good')
    throw new ApiError('unauthenticated', 'UNAUTHENTICATED', 'the token is not valid');
  return { kind: 'environment-client', clientId: 'skc_1' };
};

/** GetRole answers by name: each name is one kind of outcome. */
const roles: Slice<typeof RolesService> = {
  getRole: async (ctx, { roleName, include }, call) => {
    if (roleName === 'missing')
      throw new ApiError('not_found', 'ROLE_NOT_FOUND', 'there is no role "missing"');
    if (roleName === 'down') throw new DatabaseUnavailable('10.1.2.3 refused');
    if (roleName === 'bug') throw new Error('password=hunter2');
    if (roleName === 'limited')
      throw new ApiError('resource_exhausted', 'RATE_LIMITED', 'slow down', { retryAfter: 7 });
    const caller = call.caller.kind === 'environment-client' ? call.caller.clientId : '';
    return {
      role: {
        id: ctx.environmentId,
        name: roleName,
        displayName: include ?? '',
        description: `${caller} ${ctx.issuer} ${call.header.get('x-api-version') ?? ''}`,
      },
    };
  },
  createRole: async (_ctx, { role }) => ({
    role: { name: role?.name ?? '', displayName: role?.displayName ?? '' },
  }),
  deleteRole: async (_ctx, { reassignRoleName }) => {
    if (reassignRoleName !== 'editor')
      throw new ApiError('failed_precondition', 'ROLE_IN_USE', 'role is in use');
    return {};
  },
  getPermission: async (_ctx, { permissionName }) => ({ permission: { name: permissionName } }),
  listPermissions: async (_ctx, request) => ({
    permissions: [{ name: `${request.pageSize} ${request.type}`, isScalekitPermission: false }],
  }),
  getRoleUsersCount: async () => ({ count: 0n }),
};

const clients: Slice<typeof ClientService> = {
  updateResource: async (_ctx, { resourceId, resource, updateMask }) => ({
    resource: {
      id: resourceId,
      name: resource?.name ?? '',
      scopes: (updateMask?.paths ?? []).map((name) => ({ name })),
    },
  }),
  listResources: async (_ctx, { resourceType }) => ({ totalSize: resourceType }),
  listClient: async (_ctx, { filter }) => ({
    clients: (filter?.clientType ?? []).map((id) => ({ id })),
  }),
  createResourceClient: async (_ctx, { client }) => ({
    client: { name: client?.name ?? '', expiry: client?.expiry ?? 0n },
  }),
  getConsentDetails: async () => ({ user: { email: 'open@example.com' } }),
  listCurrentAgentConsents: async () => ({}),
};

export type Management = { port: number; lines: string[] };

export async function startManagement(t: TestContext): Promise<Management> {
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => lines.push(line) });
  // The pipeline uses these two members; everything else is the implementations' business.
  const app = { log, metrics: createMetrics() } as App;
  const { port } = await start(t, (http) => {
    const calls = createCalls({ app, authenticateCaller });
    const services = [service(RolesService, roles), service(ClientService, clients)];
    mountConnect(http, calls, services);
    mountRest(http, calls, services);
  });
  return { port, lines };
}

export type RawAnswer = {
  status: number;
  headers: http2.IncomingHttpHeaders;
  trailers: http2.IncomingHttpHeaders;
  body: Buffer;
};

/** One HTTP/2 POST with prior knowledge, to see what client libraries hide. */
export async function post(
  port: number,
  path: string,
  headers: http2.OutgoingHttpHeaders,
  body: Uint8Array,
): Promise<RawAnswer> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({ ':method': 'POST', ':path': path, ...headers });
    let [status, response, trailers]: [
      number,
      http2.IncomingHttpHeaders,
      http2.IncomingHttpHeaders,
    ] = [0, {}, {}];
    stream.on('response', (received) => {
      status = Number(received[':status']);
      response = received;
    });
    stream.on('trailers', (received) => {
      trailers = received;
    });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.end(body);
    await new Promise((resolve, reject) => stream.once('close', resolve).once('error', reject));
    return { status, headers: response, trailers, body: Buffer.concat(chunks) };
  } finally {
    session.destroy();
  }
}
