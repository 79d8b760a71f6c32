import type { Ctx } from '../runtime/context.ts';

/** Our RP ID: the host of the environment. */
export function rpIdOf(ctx: Pick<Ctx, 'issuer'>): string {
  return new URL(ctx.issuer).hostname;
}

/**
 * The user handle of a person (WebAuthn section 5.4.3), as browsers take it in JSON: base64url of the id's characters. The same
 * handle belongs into creation options, or browsers cannot tell which passkeys are gone.
 */
export function userHandleOf(userId: string): string {
  return Buffer.from(userId).toString('base64url');
}

/** Origins besides our own that may use our RP ID, of those that the environment named: https, nothing but an origin. */
export function relatedOrigins(named: readonly unknown[]): string[] {
  return named.flatMap((origin) => {
    if (typeof origin !== 'string' || !URL.canParse(origin)) return [];
    const url = new URL(origin);
    return url.protocol === 'https:' && url.origin === origin ? [origin] : [];
  });
}
