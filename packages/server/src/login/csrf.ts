import type { FastifyRequest } from 'fastify';
import { sameOriginPost } from '../http/security-headers.ts';
import type { Ctx } from '../runtime/context.ts';
import { equalBytes } from '../runtime/hash.ts';
import { PageError, type PageErrorFacts } from './page-error.ts';

/** What a form is bound to (AS-129): the browser, who was signed in when it was shown, and the request it belongs to. */
export type FormBinding = {
  readonly browserHash: Uint8Array;
  readonly sessionId?: string | undefined;
  readonly userId?: string | undefined;
  /** A login request's id, or another name that says which form this is. */
  readonly loginRequestId: string;
};

/** Name of the hidden field. */
export const CSRF_FIELD = 'csrf';

/** The token of a form. Steps before sign-in have one too, or a stranger could sign a browser in as somebody else. */
export function csrfToken(ctx: Pick<Ctx, 'secrets' | 'environmentId'>, form: FormBinding): string {
  return Buffer.from(ctx.secrets.mac('csrf', bytesOf(ctx, form))).toString('base64url');
}

/** Whether a token was made for this form, with any of the configured operator keys. */
export function csrfFits(
  ctx: Pick<Ctx, 'secrets' | 'environmentId'>,
  form: FormBinding,
  presented: string | undefined,
): boolean {
  if (presented === undefined || presented.length !== 43) return false;
  const bytes = new Uint8Array(Buffer.from(presented, 'base64url'));
  return ctx.secrets.macs('csrf', bytesOf(ctx, form)).some((mac) => equalBytes(mac, bytes));
}

/**
 * The check of every state-changing POST of these pages: what the browser says about where it comes from, and the token.
 *
 * @throws {PageError} forbidden (403)
 */
export function checkPost(
  ctx: Ctx,
  request: FastifyRequest,
  post: {
    readonly form: FormBinding;
    readonly token: string | undefined;
    readonly facts?: PageErrorFacts;
  },
): void {
  checkOrigin(request, post.facts);
  if (csrfFits(ctx, post.form, post.token)) return;
  throw new PageError({ kind: 'forbidden' }, { ...post.facts, detail: 'form token' });
}

/**
 * `Origin` and `Sec-Fetch-Site` of a POST, where the browser sends them.
 *
 * @throws {PageError} forbidden (403): another origin, `null`, or another site
 */
export function checkOrigin(request: FastifyRequest, facts?: PageErrorFacts): void {
  if (sameOriginPost(request)) return;
  throw new PageError({ kind: 'forbidden' }, { ...facts, detail: 'origin' });
}

function bytesOf(ctx: Pick<Ctx, 'environmentId'>, form: FormBinding): string {
  const browser = Buffer.from(form.browserHash).toString('base64url');
  const { sessionId = '', userId = '', loginRequestId } = form;
  return JSON.stringify([ctx.environmentId, browser, sessionId, userId, loginRequestId]);
}
