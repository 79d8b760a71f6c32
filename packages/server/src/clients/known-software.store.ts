import { redirectKind } from '../oauth/redirect-uri.ts';
import { wellKnownByRedirectHost, wellKnownByScheme } from '../oauth/well-known-clients.ts';
import type { Ctx } from '../runtime/context.ts';
import { sql } from '../storage/db.ts';
import type { ClientMetadata } from './client-metadata.ts';

/**
 * Whether a registration looks like software that people use (AS-65): all of its redirects lead to well-known clients, or
 * software of the same name that leads to the same places has completed an authorization at this server.
 */
export async function isKnownSoftware(
  ctx: Ctx,
  mcpServerId: string,
  metadata: Pick<ClientMetadata, 'name' | 'redirectUris'>,
): Promise<boolean> {
  const places = placesOf(metadata.redirectUris);
  const remote = metadata.redirectUris.filter((uri) => redirectKind(uri) !== 'loopback');
  if (remote.length > 0 && remote.every(isWellKnown)) return true;
  const twins = await completedTwins(ctx, mcpServerId, metadata.name);
  return twins.some(
    (uris) =>
      placesOf(uris).every((place) => places.includes(place)) &&
      places.every((place) => placesOf(uris).includes(place)),
  );
}

async function completedTwins(
  ctx: Ctx,
  mcpServerId: string,
  name: string,
): Promise<readonly string[][]> {
  const rows = await ctx.db.rows<{ redirect_uris: string[] }>(sql`
    select redirect_uris from clients
     where environment_id = ${ctx.environmentId} and mcp_server_id = ${mcpServerId} and name = ${name} and completed_at is not null and deleted_at is null
     order by completed_at limit 20`);
  return rows.map((row) => row.redirect_uris);
}

function isWellKnown(uri: string): boolean {
  if (redirectKind(uri) === 'https')
    return wellKnownByRedirectHost(new URL(uri).host) !== undefined;
  return wellKnownByScheme(uri.slice(0, uri.indexOf(':'))) !== undefined;
}

/** Hosts of https redirects, schemes of private ones, and loopback as one place. */
function placesOf(uris: readonly string[]): string[] {
  return [
    ...new Set(
      uris.map((uri) =>
        redirectKind(uri) === 'https'
          ? new URL(uri).host
          : redirectKind(uri) === 'loopback'
            ? 'loopback'
            : uri.slice(0, uri.indexOf(':') + 1),
      ),
    ),
  ];
}
