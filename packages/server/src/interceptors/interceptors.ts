import { recordFor } from '../events/events.ts';
import { newSigningSecret } from '../events/signature.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { SecretRow } from '../runtime/secrets.ts';
import { isUniqueViolation } from '../storage/db.ts';
import {
  deleteInterceptor as deleteRow,
  type Interceptor,
  type InterceptorMembers,
  insertInterceptor,
  lockInterceptor,
  lockInterceptors,
  type NewSecret,
  replaceInterceptorSecret,
  updateInterceptor,
} from './interceptors.store.ts';

const ID_ATTEMPTS = 5;
/** Interceptors of one environment. */
export const MOST_INTERCEPTORS = 20;

/** What a caller may say; the secret of `auth` is in clear, absent when there is none to say. */
export type InterceptorInput = Omit<InterceptorMembers, 'authSecret'> & {
  readonly authSecret: string | undefined;
};

/** The row that sealed members of an interceptor are bound to. */
export function interceptorRow(by: { environmentId: string; id: string }): SecretRow {
  return { table: 'interceptors', environmentId: by.environmentId, id: by.id };
}

/** Adds an interceptor, disabled, with a signing secret of its own. Undefined when the environment has as many as it may. */
export async function createInterceptor(
  ctx: Ctx,
  input: InterceptorInput,
): Promise<Interceptor | undefined> {
  const { environmentId } = ctx;
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'icp');
    try {
      return await ctx.db.transaction(async (tx) => {
        if ((await lockInterceptors(tx, environmentId)) >= MOST_INTERCEPTORS) return undefined;
        const made = await insertInterceptor(tx, {
          environmentId,
          id,
          members: { ...input, authSecret: sealText(ctx, id, input.authSecret) },
          secret: newSecret(ctx, id).stored,
          now: ctx.now(),
        });
        await note(withDb(ctx, tx), 'created', made);
        return made;
      });
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/** What is different afterwards; `authSecret` in clear, absent when it stays. */
export type InterceptorChange = Partial<Omit<InterceptorMembers, 'authSecret'>> & {
  readonly authSecret?: string | undefined;
  readonly enabled?: boolean | undefined;
};

/**
 * Changes an interceptor: `change` says what is new, given what it is, and may throw a refusal. A change of nothing leaves no
 * trace. Undefined when there is none.
 */
export async function changeInterceptor(
  ctx: Ctx,
  id: string,
  change: (current: Interceptor) => InterceptorChange,
): Promise<Interceptor | undefined> {
  const key = { environmentId: ctx.environmentId, id };
  return await ctx.db.transaction(async (tx) => {
    const current = await lockInterceptor(tx, key);
    if (!current) return undefined;
    const { authSecret, enabled = current.enabled, ...members } = change(current);
    const nothing = Object.keys(members).length === 0 && authSecret === undefined;
    if (nothing && enabled === current.enabled) return current;
    const kept = 'auth' in members && !members.auth ? undefined : current.authSecret;
    const changed = await updateInterceptor(tx, {
      ...key,
      members: { ...current, ...members, authSecret: sealText(ctx, id, authSecret) ?? kept },
      enabled,
      now: ctx.now(),
    });
    const what = !nothing ? 'updated' : enabled ? 'enabled' : 'disabled';
    await note(withDb(ctx, tx), what, changed);
    return changed;
  });
}

/**
 * Makes a new signing secret; the one before signs as well for so many seconds.
 *
 * @returns the secret, in clear nowhere else; undefined when there is no such interceptor
 */
export async function rotateInterceptorSecret(
  ctx: Ctx,
  by: { id: string; overlapSeconds: number },
): Promise<{ readonly interceptor: Interceptor; readonly secret: string } | undefined> {
  const { environmentId } = ctx;
  const { plain, stored } = newSecret(ctx, by.id);
  const now = ctx.now();
  return await ctx.db.transaction(async (tx) => {
    const interceptor = await replaceInterceptorSecret(tx, {
      environmentId,
      id: by.id,
      secret: stored,
      previousEndsAt: new Date(now.getTime() + by.overlapSeconds * 1000),
      now,
    });
    if (!interceptor) return undefined;
    await note(withDb(ctx, tx), 'secret_rotated', interceptor);
    return { interceptor, secret: plain };
  });
}

/** False when there is no such interceptor. */
export async function deleteInterceptor(ctx: Ctx, id: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deleteRow(tx, { environmentId: ctx.environmentId, id });
    if (!deleted) return false;
    await note(withDb(ctx, tx), 'deleted', deleted);
    return true;
  });
}

function newSecret(ctx: Ctx, id: string): { plain: string; stored: NewSecret } {
  const plain = newSigningSecret(ctx);
  const sealed = sealText(ctx, id, plain) ?? new Uint8Array();
  return { plain, stored: { id: newId(ctx, 'sec'), sealed, suffix: plain.slice(-4) } };
}

function sealText(ctx: Ctx, id: string, text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const row = interceptorRow({ environmentId: ctx.environmentId, id });
  return ctx.secrets.seal('secrets-at-rest', row, Buffer.from(text));
}

async function note(ctx: Ctx, what: string, interceptor: Interceptor): Promise<void> {
  const { id, displayName, triggerPoint, url, timeoutMs, failOpen, enabled } = interceptor;
  await recordFor(ctx, {
    type: `interceptor.${what}`,
    data: {
      id,
      display_name: displayName,
      trigger_point: triggerPoint,
      url,
      timeout_ms: timeoutMs,
      failure_policy: failOpen ? 'FAIL_OPEN' : 'FAIL_CLOSED',
      enabled,
    },
  });
}
