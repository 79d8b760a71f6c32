import type { Client } from '../../clients/clients.ts';
import { networkOf } from '../../environments/rate-limit.ts';
import type { Event } from '../../events/events.ts';
import {
  countGraceAnswer,
  keepRefreshToken,
  type RefreshToken,
  type Retirement,
  rotateRefreshToken,
} from '../../grants/refresh-tokens.store.ts';
import { refreshGraceOf } from '../../mcp/mcp-server-settings.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { newId } from '../../runtime/ids.ts';
import { OAuthError, tooManyRequests } from '../oauth-error.ts';
import { retryIds } from './authorization-parts.ts';
import type { GrantRequest } from './grant.ts';
import { accessTokenLifetime, refreshLifetimes } from './lifetimes.ts';
import { currentOf, newSalt, successorOf } from './refresh-ratchet.ts';

/** Grace for applications, which have no MCP server to set it. */
const APPLICATION_GRACE_SECONDS = 120;

/** A refresh that passed every check. */
export type Refresh = {
  readonly presented: string;
  readonly token: RefreshToken;
  readonly mcpServer: McpServer | undefined;
  readonly scopes: readonly string[];
};

/** One sentence for every reason, so that answers do not tell states apart. */
export function invalidRefreshToken(detail: string): OAuthError {
  return new OAuthError('invalid_grant', 'the refresh token is not valid', { detail });
}

/** Retires the presented token and returns its successor (AS-108). Undefined when another request was faster, or the grant ended. */
export async function rotate(
  ctx: Ctx,
  refresh: Refresh,
  request: GrantRequest,
  event: Event,
): Promise<string | undefined> {
  const { presented, token, mcpServer } = refresh;
  const now = ctx.now();
  const salt = newSalt(ctx);
  const next = successorOf(ctx, presented, salt, ctx.secrets.keyId);
  const grace = await graceSeconds(ctx, request.client, mcpServer);
  const rotated = await retryIds(() =>
    rotateRefreshToken(ctx.db, {
      ...gateOf(ctx, token),
      salt,
      ratchetKeyId: ctx.secrets.keyId,
      graceEndsAt: new Date(now.getTime() + grace * 1000),
      method: request.method,
      network: ctx.network.address,
      userAgent: ctx.network.userAgent,
      successor: {
        id: newId(ctx, 'rt'),
        tokenHash: sha256(next),
        idleExpiresAt: idleEnd(request.client, token, mcpServer, now),
      },
      event,
      now,
    }),
  );
  return rotated ? next : undefined;
}

/** For confidential clients whose server lets them keep their token (AS-107). Undefined when it changed while it was looked at. */
export async function keep(
  ctx: Ctx,
  refresh: Refresh,
  client: Client,
  event: Event,
): Promise<string | undefined> {
  const { presented, token, mcpServer } = refresh;
  const now = ctx.now();
  const idleExpiresAt = idleEnd(client, token, mcpServer, now);
  const kept = await keepRefreshToken(ctx.db, { ...gateOf(ctx, token), idleExpiresAt, event, now });
  return kept ? presented : undefined;
}

/**
 * A retired token inside its grace gets the family's current one; nothing rotates and no idle time starts again (AS-109).
 * Undefined when the family changed while it was looked at: a token that is not the current one any more must not go out,
 * because whoever keeps it comes back after its grace.
 */
export async function answerInGrace(
  ctx: Ctx,
  { presented, token }: Refresh,
  event: Event,
): Promise<string | undefined> {
  const { retired } = token;
  const current = retired && currentOf(ctx, presented, retired.steps);
  if (!retired || current === undefined)
    throw invalidRefreshToken('the current token cannot be reached any more');
  const counted = await countGraceAnswer(ctx.db, {
    ...gateOf(ctx, token),
    currentHash: sha256(current),
    event: {
      ...event,
      type: isForeign(ctx, retired) ? 'refresh_token_grace_foreign' : 'refresh_token_grace',
      data: {
        ...event.data,
        generation: token.generation,
        rotatedFrom: retired.network,
        rotatedBy: retired.userAgent,
      },
    },
  });
  if (counted === 'too-many')
    throw tooManyRequests(
      Math.max(1, secondsUntil(retired.graceEndsAt, ctx.now())),
      'grace answers of one refresh token',
    );
  return counted === 'counted' ? current : undefined;
}

/** Whether a retired token comes from another network and another program than its rotation did (AS-109). */
export function isForeign(ctx: Ctx, retired: Retirement): boolean {
  const bits = { ipv4Bits: 24, ipv6Bits: 48 };
  return (
    networkOf(retired.network, bits) !== networkOf(ctx.network.address, bits) &&
    retired.userAgent !== ctx.network.userAgent
  );
}

function gateOf(
  ctx: Ctx,
  token: RefreshToken,
): { environmentId: string; id: string; grantId: string; userId: string; userSecret: Uint8Array } {
  return {
    environmentId: ctx.environmentId,
    id: token.id,
    grantId: token.grant.id,
    userId: token.grant.userId,
    userSecret: token.live.userSecret,
  };
}

/** Never above half of what the access tokens of this very client live (AS-109). */
async function graceSeconds(
  ctx: Ctx,
  client: Client,
  mcpServer: McpServer | undefined,
): Promise<number> {
  const grace = mcpServer ? refreshGraceOf(mcpServer) : APPLICATION_GRACE_SECONDS;
  return Math.min(grace, Math.floor((await accessTokenLifetime(ctx, client, mcpServer)) / 2));
}

function idleEnd(
  client: Client,
  token: RefreshToken,
  mcpServer: McpServer | undefined,
  now: Date,
): Date {
  const { idleSeconds } = refreshLifetimes(client, mcpServer, token.grant.redirectUri);
  return new Date(
    Math.min(now.getTime() + idleSeconds * 1000, token.grant.absoluteExpiresAt.getTime()),
  );
}

function secondsUntil(moment: Date, now: Date): number {
  return Math.ceil((moment.getTime() - now.getTime()) / 1000);
}
