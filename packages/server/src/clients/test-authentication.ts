import assert from 'node:assert/strict';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { Ctx } from '../runtime/context.ts';
import type { AuthenticationPlace, AuthenticationRequest } from './client-authentication.ts';
import type { NewClient } from './client-input.ts';
import { createClient } from './manage-clients.ts';

/** For the tests of client authentication. */

export function at(ctx: Ctx, mcpServer?: McpServer): AuthenticationPlace {
  const issuer = mcpServer ? `${ctx.issuer}/resources/${mcpServer.id}` : ctx.issuer;
  return { issuer, mcpServer, endpoint: `${issuer}/oauth/token` };
}

export function basic(
  id: string,
  secret: string,
  encode: (text: string) => string = encodeURIComponent,
): AuthenticationRequest {
  return {
    form: {},
    authorization: `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`,
  };
}

export const post = (form: Record<string, string>): AuthenticationRequest => ({
  form,
  authorization: undefined,
});

/** How an authentication ends: the method, or the error's status and code. */
export async function outcome(work: Promise<{ method: string }>): Promise<string> {
  try {
    return (await work).method;
  } catch (error) {
    if (error instanceof OAuthError) return `${error.status} ${error.code}`;
    throw error;
  }
}

export async function made(ctx: Ctx, input: NewClient): Promise<{ id: string; secret: string }> {
  const created = await createClient(ctx, input);
  assert.equal(created.kind, 'created', JSON.stringify(created));
  if (created.kind !== 'created') throw new Error('unreachable');
  return { id: created.client.id, secret: created.secret?.plain ?? '' };
}

export const PUBLIC = {
  kind: 'mcp',
  name: 'Public',
  tokenEndpointAuthMethod: 'none',
  redirectUris: ['http://localhost/cb'],
} as const;
