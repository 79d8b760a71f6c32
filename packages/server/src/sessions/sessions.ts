import type { Ctx } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { recordEndings } from './session-events.ts';
import { endActiveSessions, type SessionRecord } from './session-records.store.ts';
import { sessionTerms } from './session-terms.ts';
import {
  type FoundSession,
  findSessions,
  insertSession,
  type NewSession,
  renewSession,
  replaceToken,
  type Session,
  type SignInMethod,
  touchSession,
} from './sessions.store.ts';

export type { Session, SignInMethod } from './sessions.store.ts';

/** Name of the session cookie, without what the environment adds (AS-130). */
export const SESSION_COOKIE = 'session';

const TOUCH_EVERY_MS = 60_000;
const MOST_ACCOUNTS = 5;
const ID_ATTEMPTS = 5;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** The people signed in in one browser, as its cookie lists them. */
export type BrowserSessions = {
  /** The first of the cookie, when it is live. */
  readonly current: Session | undefined;
  /** All live ones, the current first. */
  readonly all: readonly Session[];
};

/**
 * Who is signed in in this browser: sessions whose token the cookie holds and which were made in the very browser that sent
 * it (AS-30). A cookie taken to another browser finds nothing.
 *
 * @param connectionId the connection of an MCP server whose people sign in with the application's own page: only sessions that
 *   began there. Without, only those that began here.
 */
export async function sessionsOf(
  ctx: Ctx,
  cookie: string | undefined,
  browserHash: Uint8Array | undefined,
  connectionId?: string,
): Promise<BrowserSessions> {
  const cookieTokens = tokensOf(cookie);
  if (cookieTokens.length === 0 || !browserHash) return { current: undefined, all: [] };
  const live = await inOrder(ctx, cookieTokens, browserHash);
  const found = live.filter(({ session }) => session.connectionId === connectionId);
  const others = live.filter(({ session }) => session.connectionId !== connectionId);
  // Whoever signed in elsewhere stands before nobody here; a token that is over still says that its person left.
  const tokens = cookieTokens.filter((token) => {
    const hash = sha256(token);
    return !others.some(({ tokenHash }) => equalBytes(tokenHash, hash));
  });
  const first = found[0];
  const isCurrent = first !== undefined && equalBytes(first.tokenHash, sha256(tokens[0] ?? ''));
  const current = isCurrent ? first.session : undefined;
  if (current) await touch(ctx, current);
  return { current, all: found.map(({ session }) => session) };
}

/** Everybody who is signed in in this browser, whichever page they signed in with, in the order of the cookie. */
export async function everySessionOf(
  ctx: Ctx,
  cookie: string | undefined,
  browserHash: Uint8Array | undefined,
): Promise<readonly Session[]> {
  if (!browserHash) return [];
  const found = await inOrder(ctx, tokensOf(cookie), browserHash);
  return found.map(({ session }) => session);
}

/**
 * Signs a person in in a browser. The token is new whatever the cookie held before (fixation), also when the same person
 * proves it again; that keeps the session's id. Other people signed in in the browser stay, behind the new one.
 *
 * @returns the value for the session cookie
 */
export async function startSession(
  ctx: Ctx,
  by: {
    userId: string;
    browserHash: Uint8Array;
    method: SignInMethod;
    cookie: string | undefined;
    /** The connection of an MCP server that the person signed in through. */
    connectionId?: string;
  },
): Promise<{ sessionId: string; cookie: string }> {
  const { db, environmentId } = ctx;
  const now = ctx.now();
  const token = newSecret(ctx);
  const { organizationId, idleSeconds, absoluteSeconds } = await sessionTerms(ctx, by.userId);
  const fresh = {
    environmentId,
    tokenHash: sha256(token),
    method: by.method,
    now,
    idleSeconds,
    idleExpiresAt: new Date(now.getTime() + (idleSeconds ?? absoluteSeconds) * 1000),
    absoluteExpiresAt: new Date(now.getTime() + absoluteSeconds * 1000),
    organizationId,
    address: ctx.network.address,
    userAgent: ctx.network.userAgent,
  };
  const tokens = tokensOf(by.cookie);
  const found = await inOrder(ctx, tokens, by.browserHash);
  const own = found.find(({ session }) => session.userId === by.userId);
  let sessionId = own?.session.id;
  const renewed =
    own !== undefined &&
    (await renewSession(db, { ...fresh, id: own.session.id, oldTokenHash: own.tokenHash }));
  if (!renewed || sessionId === undefined) {
    sessionId = await addSession(ctx, {
      ...fresh,
      browserHash: by.browserHash,
      userId: by.userId,
      connectionId: by.connectionId,
    });
  }
  const others = found.filter(({ session }) => session.userId !== by.userId);
  const kept = others.slice(0, MOST_ACCOUNTS - 1);
  const dropped = others.slice(MOST_ACCOUNTS - 1).map(({ session }) => session.id);
  if (dropped.length > 0) await endByIds(ctx, dropped, 'too-many-accounts');
  return { sessionId, cookie: [token, ...rawTokens(tokens, kept)].join('.') };
}

/**
 * Makes another signed-in person of this browser the current one, under a new token.
 *
 * @returns the value for the session cookie; undefined when that session is not one of this browser's
 */
export async function switchSession(
  ctx: Ctx,
  by: { sessionId: string; cookie: string | undefined; browserHash: Uint8Array },
): Promise<string | undefined> {
  const tokens = tokensOf(by.cookie);
  const found = await inOrder(ctx, tokens, by.browserHash);
  const chosen = found.find(({ session }) => session.id === by.sessionId);
  if (!chosen) return undefined;
  const token = newSecret(ctx);
  const replaced = await replaceToken(ctx.db, {
    environmentId: ctx.environmentId,
    id: by.sessionId,
    oldTokenHash: chosen.tokenHash,
    tokenHash: sha256(token),
  });
  if (!replaced) return undefined;
  const others = found.filter(({ session }) => session.id !== by.sessionId);
  return [token, ...rawTokens(tokens, others)].join('.');
}

/** Signs everybody out of this browser. Returns the sessions that ended. */
export async function signOutBrowser(
  ctx: Ctx,
  by: { cookie: string | undefined; browserHash: Uint8Array; because: string },
): Promise<Session[]> {
  const found = await inOrder(ctx, tokensOf(by.cookie), by.browserHash);
  return await end(
    ctx,
    found.map(({ session }) => session),
    by.because,
  );
}

/** Signs one person out of this browser; the cookie's other tokens stay as they are. */
export async function endSession(
  ctx: Ctx,
  by: { sessionId: string; cookie: string | undefined; browserHash: Uint8Array; because: string },
): Promise<Session | undefined> {
  const found = await inOrder(ctx, tokensOf(by.cookie), by.browserHash);
  const chosen = found.filter(({ session }) => session.id === by.sessionId);
  return (
    await end(
      ctx,
      chosen.map(({ session }) => session),
      by.because,
    )
  )[0];
}

async function addSession(ctx: Ctx, session: Omit<NewSession, 'id'>): Promise<string> {
  for (let attempt = 0; attempt < ID_ATTEMPTS; attempt += 1) {
    const id = newId(ctx, 'ses');
    if (await insertSession(ctx.db, { ...session, id })) return id;
  }
  throw new Error('no free session id was found');
}

async function end(ctx: Ctx, sessions: readonly Session[], because: string): Promise<Session[]> {
  const ids = sessions.map((session) => session.id);
  const ended = await endByIds(ctx, ids, because);
  return sessions.filter((session) => ended.some(({ id }) => id === session.id));
}

async function endByIds(
  ctx: Ctx,
  ids: readonly string[],
  because: string,
): Promise<SessionRecord[]> {
  if (ids.length === 0) return [];
  const { environmentId } = ctx;
  const ended = await endActiveSessions(ctx.db, { environmentId, ids, because, now: ctx.now() });
  await recordEndings(ctx, ended);
  return ended;
}

async function inOrder(
  ctx: Ctx,
  tokens: readonly string[],
  browserHash: Uint8Array,
): Promise<FoundSession[]> {
  if (tokens.length === 0) return [];
  const hashes = tokens.map((token) => sha256(token));
  const found = await findSessions(ctx.db, {
    environmentId: ctx.environmentId,
    tokenHashes: hashes,
    browserHash,
    now: ctx.now(),
  });
  return hashes.flatMap((hash) => found.find((one) => equalBytes(one.tokenHash, hash)) ?? []);
}

function tokensOf(cookie: string | undefined): string[] {
  const tokens = (cookie ?? '').split('.').filter((token) => TOKEN.test(token));
  return [...new Set(tokens)].slice(0, MOST_ACCOUNTS);
}

function rawTokens(tokens: readonly string[], kept: readonly FoundSession[]): string[] {
  return tokens.filter((token) => kept.some((one) => equalBytes(one.tokenHash, sha256(token))));
}

async function touch(ctx: Ctx, session: Session): Promise<void> {
  const now = ctx.now();
  if (now.getTime() - session.lastActiveAt.getTime() < TOUCH_EVERY_MS) return;
  await touchSession(ctx.db, { environmentId: ctx.environmentId, id: session.id, now });
}
