import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { isUniqueViolation } from '../storage/db.ts';
import {
  countLocked,
  deleteUserAttribute as deleteRow,
  insertUserAttribute,
  lockUserAttribute,
  type UserAttribute,
  type UserAttributeMembers,
  updateUserAttribute,
} from './user-attributes.store.ts';
import type { AttributeKind } from './user-attributes-standard.ts';

/** An environment has so many attributes of each kind. */
export const MOST_ATTRIBUTES = 100;

/** Adds an attribute; `taken` when there is one of this key in any case. */
export async function createUserAttribute(
  ctx: Ctx,
  kind: AttributeKind,
  attribute: UserAttribute,
): Promise<'created' | 'taken' | 'too-many'> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      if ((await countLocked(tx, { environmentId, kind })) >= MOST_ATTRIBUTES) return 'too-many';
      await insertUserAttribute(tx, { environmentId, kind, attribute, now: ctx.now() });
      await record(tx, eventOf(ctx, eventAbout('created', kind, attribute)));
      return 'created';
    });
  } catch (error) {
    if (isUniqueViolation(error)) return 'taken';
    throw error;
  }
}

/** Changes an attribute: `change` says what it is now, given what it was. Undefined when there is none of this key. */
export async function changeUserAttribute(
  ctx: Ctx,
  kind: AttributeKind,
  key: string,
  change: (current: UserAttribute) => UserAttributeMembers,
): Promise<UserAttribute | undefined> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const current = await lockUserAttribute(tx, { environmentId, kind, key });
    if (!current) return undefined;
    const changed = { ...change(current), key: current.key };
    if (JSON.stringify(factsOf(kind, changed)) === JSON.stringify(factsOf(kind, current)))
      return current;
    await updateUserAttribute(tx, {
      environmentId,
      kind,
      key: current.key,
      members: changed,
      now: ctx.now(),
    });
    await record(tx, eventOf(ctx, eventAbout('updated', kind, changed)));
    return changed;
  });
}

/** Deletes an attribute that no directory fills; the database decides, whatever races. */
export async function deleteUserAttribute(
  ctx: Ctx,
  kind: AttributeKind,
  key: string,
): Promise<'deleted' | 'unknown' | 'in-use'> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      const deleted = await deleteRow(tx, { environmentId, kind, key });
      if (!deleted) return 'unknown';
      await record(tx, eventOf(ctx, eventAbout('deleted', kind, deleted)));
      return 'deleted';
    });
  } catch (error) {
    // SQLSTATE 23503: a directory's mapping refers to the attribute.
    if (error instanceof Error && 'code' in error && error.code === '23503') return 'in-use';
    throw error;
  }
}

function eventAbout(
  verb: 'created' | 'updated' | 'deleted',
  kind: AttributeKind,
  a: UserAttribute,
) {
  return { type: `user_attribute.${verb}`, data: factsOf(kind, a) };
}

function factsOf(kind: AttributeKind, a: UserAttribute): Readonly<Record<string, unknown>> {
  return {
    kind,
    key: a.key,
    label: a.label,
    datatype: a.datatype,
    enabled: a.enabled,
    required: a.required,
    saml_mapping: a.samlMapping,
    oidc_mapping: a.oidcMapping,
  };
}
