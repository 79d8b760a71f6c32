import { environmentOf } from '../environments/environments.ts';
import { mcpServersCovering } from '../mcp/mcp-servers.store.ts';
import { isReservedAudience, resourceKey } from '../oauth/resource-indicator.ts';
import type { Ctx } from '../runtime/context.ts';
import type { InvalidMember } from './client-input.ts';

const MOST_AUDIENCES = 10;
/** Printable and without spaces: a URL, a URN or a name. */
const FORM = /^[\x21-\x7e]{1,512}$/;

/**
 * The first audience that a client which belongs to no MCP server cannot have (AS-148): one that stands for this server, for a
 * client or person, or for an MCP server, whose tokens come from its own clients.
 */
export async function audienceProblem(
  ctx: Ctx,
  audience: readonly string[],
): Promise<InvalidMember | undefined> {
  const invalid = (field: string, description: string): InvalidMember => ({
    kind: 'invalid',
    field,
    description,
  });
  if (audience.length > MOST_AUDIENCES) return invalid('audience', `at most ${MOST_AUDIENCES}`);
  const environment = await environmentOf(ctx);
  for (const [index, value] of audience.entries()) {
    const field = `audience[${index}]`;
    if (!FORM.test(value)) return invalid(field, 'must be 1 to 512 printable characters');
    if (isReservedAudience(value, environment))
      return invalid(field, 'is reserved for this authorization server');
  }
  const taken = await audienceOfMcpServer(ctx, audience);
  if (taken === undefined) return undefined;
  return invalid(`audience[${audience.indexOf(taken)}]`, 'is the Server URL of an MCP server');
}

/** The first of these audiences that is the Server URL of an MCP server now: servers may have come since a client was made. */
export async function audienceOfMcpServer(
  ctx: Pick<Ctx, 'db' | 'environmentId'>,
  audience: readonly string[],
): Promise<string | undefined> {
  const { db, environmentId } = ctx;
  const keys = audience.flatMap((value) => resourceKey(value) ?? []);
  if (keys.length === 0) return undefined;
  const servers = await mcpServersCovering(db, { environmentId, keys });
  return audience.find((value) => {
    const key = resourceKey(value);
    return key !== undefined && servers.some(({ serverUrlKey }) => serverUrlKey === key);
  });
}
