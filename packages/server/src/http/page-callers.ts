import type { FastifyRequest } from 'fastify';
import type { Ctx } from '../runtime/context.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './callers.ts';
import { readCookie } from './cookies.ts';
import { edgeOf } from './edge.ts';

/**
 * Says as whom a page of ours calls: `operator`, `session` or `portal`. One browser may have the cookies of all three, and a
 * page of one must never act with the rights of another. No form and no link can send it, and a script of another origin needs
 * a preflight that nothing answers.
 */
export const CALLER_HEADER = 'gatewarden-caller';

/** Who is signed in, by one of the cookies; undefined: nobody. */
export type CookieProof = (
  ctx: Ctx,
  cookie: (name: string) => string | undefined,
) => Promise<Caller | undefined>;

/** How each kind of caller that the header may name proves who they are. */
export type PageCallers = Readonly<Record<string, CookieProof>>;

/**
 * The caller of a call that a page of ours makes.
 *
 * @returns undefined: the call does not say that it comes from a page, and its cookies are not looked at
 * @throws {ApiError} unauthenticated: another origin, no word of the browser on the origin, an unknown kind, or nobody signed in
 */
export async function callerOfPage(
  ctx: Ctx,
  request: FastifyRequest,
  pages: PageCallers,
): Promise<Caller | undefined> {
  const kind = request.headers[CALLER_HEADER];
  if (kind === undefined) return undefined;
  const prove = typeof kind === 'string' && Object.hasOwn(pages, kind) ? pages[kind] : undefined;
  if (!prove) throw refused(`${CALLER_HEADER} does not name a kind of caller`);
  if (!isFromOwnPage(request)) throw refused(FOREIGN);
  const caller = await prove(ctx, (name) => readCookie(request, name));
  if (!caller) throw refused('nobody is signed in');
  return caller;
}

const FOREIGN = 'a call with a cookie must come from a page of this origin';

/**
 * That a call of an open method, which a browser's cookies decide about, comes from a page of ours: the browser says so, and the
 * page names itself with the header, which no form of anybody's can.
 *
 * @throws {ApiError} permission_denied
 */
export function checkOwnPage(request: FastifyRequest, kind: string): void {
  if (request.headers[CALLER_HEADER] !== kind)
    throw new ApiError(
      'permission_denied',
      'PERMISSION_DENIED',
      `${CALLER_HEADER} must be "${kind}"`,
    );
  if (!isFromOwnPage(request))
    throw new ApiError('permission_denied', 'PERMISSION_DENIED', FOREIGN);
}

/** What the browser says about where a call comes from. Silence is a refusal: every browser of today says one of the two. */
function isFromOwnPage(request: FastifyRequest): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined && origin !== new URL(edgeOf(request).issuer).origin) return false;
  return site === undefined ? origin !== undefined : site === 'same-origin';
}

function refused(why: string): ApiError {
  return new ApiError('unauthenticated', 'UNAUTHENTICATED', why);
}
