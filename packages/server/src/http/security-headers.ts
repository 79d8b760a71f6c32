import type { FastifyRequest } from 'fastify';
import { edgeOf, requestHost } from './edge.ts';

export type PageHeaderOptions = {
  /**
   * `absent` on sign-in and consent pages: every step whose POST can end in a redirect to a client, an identity provider or a
   * post-logout address, because browsers apply the directive to the whole redirect chain. `self` on all others.
   */
  readonly formAction: 'absent' | 'self';
  readonly https: boolean;
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "object-src 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/**
 * Headers of every hosted page (AS-129). No Cross-Origin-Opener-Policy: it would cut clients off from the pop-up they opened.
 * The referrer policy is `same-origin` and not `no-referrer`, with which browsers send `Origin: null` on our own forms.
 */
export function pageHeaders(options: PageHeaderOptions): Readonly<Record<string, string>> {
  return {
    'content-security-policy':
      options.formAction === 'self' ? `${POLICY}; form-action 'self'` : POLICY,
    'x-frame-options': 'DENY',
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self)',
    'cache-control': 'no-store',
    ...(options.https ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
}

/** For every answer that holds a credential or depends on who asks (RFC 6749 §5.1). */
export const noStore: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  pragma: 'no-cache',
};

/**
 * Whether the browser says that a POST came from a page of ours (AS-129). Older browsers send neither header, and then the
 * CSRF token decides alone; a header that is present and wrong is always a refusal, `Origin: null` included.
 */
export function sameOriginPost(request: FastifyRequest): boolean {
  const origin = request.headers.origin;
  if (origin !== undefined && !ownOrigins(request).includes(origin)) return false;
  const site = request.headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin') return true;
  return site === 'none' && origin !== undefined;
}

/** The environment's origin, and the one the browser used when the Host check let another name of ours through. */
function ownOrigins(request: FastifyRequest): string[] {
  const { protocol, origin } = new URL(edgeOf(request).issuer);
  const host = requestHost(request);
  return host === undefined ? [origin] : [origin, `${protocol}//${host}`];
}
