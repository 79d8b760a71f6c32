import type { Ctx } from '../runtime/context.ts';
import type { Client } from './client.ts';
import {
  documentUrlProblem,
  isDocumentUrl,
  resolveDocumentClient,
} from './client-id-metadata-document.ts';
import { type ClientResolution, type ClientUse, clientRecord } from './client-resolution.ts';

export type { Client } from './client.ts';
export type { ClientResolution, ClientUse } from './client-resolution.ts';

const LONGEST_ID = 64;

/**
 * The client a request names, if it may be used at this issuer. A URL is a client ID metadata document, fetched when what we
 * know of it is not fresh (AS-70 to AS-83); everything else is a row of ours.
 */
export async function resolveClient(
  ctx: Ctx,
  clientId: string,
  use: ClientUse,
): Promise<ClientResolution> {
  if (isDocumentUrl(clientId)) return await resolveDocumentClient(ctx, clientId, use);
  if (!isOurId(clientId)) return { kind: 'unknown' };
  const record = await clientRecord(ctx, clientId);
  if (!record) return { kind: 'unknown' };
  if (record.deletedAt) return { kind: 'unknown', tombstoneAt: record.deletedAt };
  // At the token endpoint a switched-off client still proves who it is, and its grants are what is refused (AS-97, AS-114).
  if (!record.client.enabled && use.purpose !== 'token') return { kind: 'unknown' };
  return isAtHome(record.client, use)
    ? { kind: 'found', client: record.client }
    : { kind: 'not-here' };
}

/**
 * AS-7, AS-64: a client bound to one server works there and, as AS-33 and AS-98 say, at E; applications and environment
 * clients work at E only. An organization's machine client has no server and works at E.
 */
function isAtHome(client: Client, use: ClientUse): boolean {
  if (!use.mcpServer) return true;
  if (client.kind === 'environment') return use.environmentClients === true;
  return client.kind === 'mcp' && client.mcpServerId === use.mcpServer.id;
}

/**
 * What events say of a client that nobody knows: its id if it can be one. Who sends a secret in the place of the id, as
 * mistaken settings do, must not find it in the timeline (AS-121).
 */
export function recordableClientId(clientId: string | undefined): string | undefined {
  if (clientId === undefined || isOurId(clientId)) return clientId;
  return documentUrlProblem(clientId.replace(/\?.*$/s, ''), { allowLoopback: true }) === undefined
    ? clientId
    : 'not a client id';
}

/** Cheap, and keeps what cannot be an id away from database and cache. */
function isOurId(id: string): boolean {
  return id.length <= LONGEST_ID && /^[a-z0-9]+_[0-9]{1,20}$/.test(id);
}
