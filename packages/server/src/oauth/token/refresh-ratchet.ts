import type { Retirement } from '../../grants/refresh-tokens.store.ts';
import type { Ctx } from '../../runtime/context.ts';
import { newSecret } from '../../runtime/ids.ts';

const PREFIX = 'rt_';
const FORM = /^rt_[A-Za-z0-9_-]{43}$/;
const SALT_BYTES = 32;

/** The first token of a family: 256 random bits (AS-108). */
export function firstRefreshToken(ctx: Pick<Ctx, 'random'>): string {
  return `${PREFIX}${newSecret(ctx)}`;
}

/** Whether a value can be one of our refresh tokens at all. */
export function looksLikeRefreshToken(value: string): boolean {
  return FORM.test(value);
}

export function newSalt(ctx: Pick<Ctx, 'random'>): Uint8Array {
  return ctx.random(SALT_BYTES);
}

/**
 * The token that follows: HMAC-SHA-256 over the presented token and the salt of its rotation, with a key derived for this use
 * (AS-108). Whoever has database and operator key, but no token of the family, cannot compute it: the tokens themselves, which
 * begin with 256 random bits, are stored nowhere.
 */
export function successorOf(
  ctx: Pick<Ctx, 'secrets'>,
  token: string,
  salt: Uint8Array,
  keyId: string,
): string {
  const mac = ctx.secrets.mac('refresh-ratchet', Buffer.concat([Buffer.from(token), salt]), keyId);
  return `${PREFIX}${Buffer.from(mac).toString('base64url')}`;
}

/** From a retired token to the family's current one; undefined when a salt on the way has been erased. */
export function currentOf(
  ctx: Pick<Ctx, 'secrets'>,
  token: string,
  steps: Retirement['steps'],
): string | undefined {
  let current = token;
  for (const { salt, keyId } of steps) {
    if (!salt || keyId === undefined) return undefined;
    current = successorOf(ctx, current, salt, keyId);
  }
  return current;
}
