import type { FastifyReply, FastifyRequest } from 'fastify';
import { environmentOf } from '../environments/environments.ts';
import { readCookie, setCookie } from '../http/cookies.ts';
import type { Ctx } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { newSecret } from '../runtime/ids.ts';
import {
  type BrowserSessions,
  everySessionOf,
  SESSION_COOKIE,
  type Session,
  sessionsOf,
} from '../sessions/sessions.ts';

/** One browser, known by a random secret in its cookie; rows hold only the hash (AS-30). */
export type Browser = { readonly hash: Uint8Array };

/** Name of the cookie, without what the environment adds (AS-130). */
export const BROWSER_COOKIE = 'browser';
/** 400 days, the longest that browsers keep a cookie. */
const COOKIE_SECONDS = 400 * 86_400;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** The browser that sent a request, if it has been here before. */
export function browserIfAny(request: FastifyRequest): Browser | undefined {
  const secret = readCookie(request, BROWSER_COOKIE);
  return secret !== undefined && SECRET.test(secret) ? { hash: sha256(secret) } : undefined;
}

/** The browser that sent a request; a new one gets its secret with this answer. One secret serves all parallel flows. */
export function browserOf(ctx: Ctx, request: FastifyRequest, reply: FastifyReply): Browser {
  const known = browserIfAny(request);
  if (known) return known;
  const secret = newSecret(ctx);
  setCookie(request, reply, BROWSER_COOKIE, secret, { maxAge: COOKIE_SECONDS });
  return { hash: sha256(secret) };
}

/** Whether a request comes from the browser that a row is bound to, compared in constant time. No cookie: no. */
export function sameBrowser(
  request: FastifyRequest,
  bound: { readonly browserHash: Uint8Array },
): boolean {
  const browser = browserIfAny(request);
  return browser !== undefined && equalBytes(browser.hash, bound.browserHash);
}

/**
 * Who is signed in in the browser that sent a request.
 *
 * @param connectionId see `sessionsOf`
 */
export async function sessionsOfRequest(
  ctx: Ctx,
  request: FastifyRequest,
  connectionId?: string,
): Promise<BrowserSessions> {
  return await sessionsOf(ctx, sessionCookie(request), browserIfAny(request)?.hash, connectionId);
}

/**
 * Somebody who is signed in in this browser: the one whom the hosted pages know, or else anybody, also by an application's own
 * login page. Whom nobody sees, nobody would sign out.
 */
export async function anybodyHere(ctx: Ctx, request: FastifyRequest): Promise<Session | undefined> {
  const { current } = await sessionsOfRequest(ctx, request);
  if (current) return current;
  const [other] = await everySessionOf(ctx, sessionCookie(request), browserIfAny(request)?.hash);
  return other;
}

export function sessionCookie(request: FastifyRequest): string | undefined {
  return readCookie(request, SESSION_COOKIE);
}

/** The browser keeps it as long as a session of the environment can live, or until it is closed, as the environment says. */
export async function setSessionCookie(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  value: string,
): Promise<void> {
  const { absoluteMinutes, persistent } = (await environmentOf(ctx)).settings.sessionPolicy;
  const options = persistent ? { maxAge: absoluteMinutes * 60 } : {};
  setCookie(request, reply, SESSION_COOKIE, value, options);
}
