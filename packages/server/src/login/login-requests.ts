import type { FastifyRequest } from 'fastify';
import { environmentOf } from '../environments/environments.ts';
import { limitApplies, networkOf } from '../environments/rate-limit.ts';
import { cookieName } from '../http/cookies.ts';
import { edgeOf } from '../http/edge.ts';
import type { Problem } from '../pages/error-problem.ts';
import { goal } from '../pages/purpose.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { BROWSER_COOKIE, browserIfAny, sameBrowser } from './browser.ts';
import {
  findLoginRequest,
  insertLoginRequest,
  type LoginDetails,
  type LoginRequest,
  pendingOfNetwork,
} from './login-requests.store.ts';
import { PageError, type PageErrorFacts } from './page-error.ts';

/** How long a pending sign-in lives (AS-31). */
export const LOGIN_REQUEST_MS = 600_000;
const ID = /^[A-Za-z0-9_-]{43}$/;

export type NewLogin = {
  readonly browserHash: Uint8Array;
  readonly flowId: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly mcpServerId?: string | undefined;
  readonly redirectUri: string;
  readonly details: LoginDetails;
};

export type CreateOutcome =
  | { readonly kind: 'created'; readonly id: string }
  | { readonly kind: 'too-many'; readonly retryAfterSeconds: number };

/** Freezes an authorization request as a row bound to the browser that sent it. One network may have 200 of them waiting (AS-65). */
export async function createLoginRequest(ctx: Ctx, login: NewLogin): Promise<CreateOutcome> {
  const environment = await environmentOf(ctx);
  const now = ctx.now();
  const { environmentId } = ctx;
  const network = networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 64 });
  const id = newSecret(ctx);
  const row = {
    ...login,
    mcpServerId: login.mcpServerId,
    environmentId,
    id,
    authRequestId: newId(ctx, 'req'),
    network,
    now,
    expiresAt: new Date(now.getTime() + LOGIN_REQUEST_MS),
  };
  if (!limitApplies(ctx, environment)) {
    await insertLoginRequest(ctx.db, row);
    return { kind: 'created', id };
  }
  const most = environment.settings.limits.pendingAuthorizationsPerNetwork;
  return await ctx.db.transaction(async (tx): Promise<CreateOutcome> => {
    const pending = await pendingOfNetwork(tx, { environmentId, network, now });
    if (pending.count >= most) {
      const wait = (pending.firstEnds ?? row.expiresAt).getTime() - now.getTime();
      return { kind: 'too-many', retryAfterSeconds: Math.max(1, Math.ceil(wait / 1000)) };
    }
    await insertLoginRequest(tx, row);
    return { kind: 'created', id };
  });
}

/**
 * The login request that a URL names, for the browser it is bound to. The comparison comes before everything else: another
 * browser, a missing cookie and an unknown id look the same and show nothing (AS-30).
 *
 * @throws {PageError} other-browser or cookies-blocked (400 invalid_state); expired (400)
 */
export async function openLogin(
  ctx: Ctx,
  request: FastifyRequest,
  id: string,
): Promise<LoginRequest> {
  const login = await ownLogin(ctx, request, id);
  if (isOver(ctx, login)) throw expired(login);
  return login;
}

/** The same without a look at the clock, for what may also be asked of a request that is over. */
export async function ownLogin(
  ctx: Ctx,
  request: FastifyRequest,
  id: string,
): Promise<LoginRequest> {
  const login = ID.test(id)
    ? await findLoginRequest(ctx.db, { environmentId: ctx.environmentId, id })
    : undefined;
  if (!login || !sameBrowser(request, login)) {
    throw new PageError(notThisBrowser(request), login ? factsOf(login) : {});
  }
  return login;
}

/**
 * What a browser is told that is not the one. It depends only on what the browser sent: without any cookie of ours, and led
 * here by a page or redirect, its cookies are blocked; an address typed or pasted elsewhere is another browser.
 */
function notThisBrowser(request: FastifyRequest): Problem {
  const site = request.headers['sec-fetch-site'];
  if (browserIfAny(request) || site === undefined || site === 'none') {
    return { kind: 'other-browser' };
  }
  const edge = edgeOf(request);
  const host = new URL(edge.issuer).host;
  return { kind: 'cookies-blocked', host, cookie: cookieName(edge, BROWSER_COOKIE) };
}

export function isOver(ctx: Pick<Ctx, 'now'>, login: LoginRequest): boolean {
  return login.endedAt !== undefined || login.expiresAt.getTime() <= ctx.now().getTime();
}

/** "This took a while" (AS-31), with a way to start again where the client has one. */
export function expired(login: LoginRequest): PageError {
  const { purpose, startAgainUrl } = login.details;
  return new PageError(
    { kind: 'expired', clientName: goal(purpose), startAgainUrl },
    factsOf(login),
  );
}

/** What events about a flow carry. */
export function factsOf(login: LoginRequest): PageErrorFacts {
  return { flowId: login.flowId, clientId: login.clientId, mcpServerId: login.mcpServerId };
}

/** Path of the hub, which decides what the browser sees next. */
export function loginPath(id: string): string {
  return `/login/${id}`;
}

/** Where a finished login goes on: the authorization endpoint that was called, as a path so that the browser stays on its host. */
export function continuePath(login: Pick<LoginRequest, 'issuer' | 'id'>): string {
  return `${new URL(login.issuer).pathname.replace(/\/$/, '')}/oauth/authorize/${login.id}`;
}
