import { eventOf, record } from '../events/events.ts';
import { ConfigError } from '../runtime/config.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { type Db, isUniqueViolation } from '../storage/db.ts';
import { type EmailAddress, parseEmail } from '../users/email-address.ts';
import {
  deleteOperatorRow,
  hasOperators,
  insertOperator,
  listOwners,
  lockOperator,
  type Operator,
  type OperatorMembers,
  updateOperator,
} from './operators.store.ts';

export type { Operator } from './operators.store.ts';

const ID_ATTEMPTS = 5;

export type OperatorOutcome =
  | { readonly kind: 'written'; readonly operator: Operator }
  | { readonly kind: 'unknown' }
  /** Another operator has the address. */
  | { readonly kind: 'taken' }
  /** The only owner stays one. */
  | { readonly kind: 'last-owner' };

/** Adds an operator. */
export async function createOperator(
  ctx: Ctx,
  input: Partial<OperatorMembers> & Pick<Operator, 'role'> & { readonly address: EmailAddress },
): Promise<OperatorOutcome> {
  try {
    return { kind: 'written', operator: await add(ctx, input) };
  } catch (error) {
    if (isUniqueViolation(error, 'operators_by_email')) return { kind: 'taken' };
    throw error;
  }
}

/**
 * Changes an operator: `change` says which members are new, given what they are. It may throw a refusal. A role counts from
 * the operator's next call on.
 */
export async function changeOperator(
  ctx: Ctx,
  id: string,
  change: (current: Operator) => Partial<OperatorMembers>,
): Promise<OperatorOutcome> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const locked = await lockOperator(tx, { environmentId, id });
    if (!locked) return { kind: 'unknown' };
    const { operator, otherOwners } = locked;
    const changes = change(operator);
    if (Object.keys(changes).length === 0) return { kind: 'written', operator };
    const members = { ...operator, ...changes };
    if (operator.role === 'owner' && members.role !== 'owner' && otherOwners === 0)
      return { kind: 'last-owner' };
    const changed = await updateOperator(tx, { environmentId, id, members, now: ctx.now() });
    await note(ctx, tx, 'operator.updated', changed);
    return { kind: 'written', operator: changed };
  });
}

/** Removes an operator, whose sessions end at once. `check` may throw a refusal. */
export async function deleteOperator(
  ctx: Ctx,
  id: string,
  check: (current: Operator) => void = () => {},
): Promise<OperatorOutcome> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const locked = await lockOperator(tx, { environmentId, id });
    if (!locked) return { kind: 'unknown' };
    const { operator, otherOwners } = locked;
    check(operator);
    if (operator.role === 'owner' && otherOwners === 0) return { kind: 'last-owner' };
    await deleteOperatorRow(tx, { environmentId, id });
    await note(ctx, tx, 'operator.deleted', operator);
    return { kind: 'written', operator };
  });
}

/**
 * The owner of an environment that has no operator yet, from `GATEWARDEN_OPERATOR_EMAIL`. Once there is anybody, the setting
 * does nothing more: it cannot bring back whom somebody removed. Two processes that start at once add one.
 *
 * @throws {ConfigError} the setting is not an address
 */
export async function ensureFirstOperator(ctx: Ctx): Promise<void> {
  const { operatorEmail } = ctx.config;
  if (operatorEmail === undefined) return;
  const address = parseEmail(operatorEmail);
  if (!address)
    throw new ConfigError(
      `GATEWARDEN_OPERATOR_EMAIL is "${operatorEmail}"; it should be the address of the first operator.`,
    );
  await ctx.db.transaction(async (tx) => {
    if (await hasOperators(tx, ctx.environmentId)) return;
    await add(withDb(ctx, tx), { role: 'owner', address });
  });
}

/** Gives the environment of the context, which has no operator yet, the owners of another one. */
export async function copyOwners(ctx: Ctx, fromEnvironmentId: string): Promise<void> {
  for (const owner of await listOwners(ctx.db, fromEnvironmentId)) {
    const { email, emailKey: key, firstName, lastName, metadata } = owner;
    await add(ctx, { role: 'owner', address: { email, key }, firstName, lastName, metadata });
  }
}

async function add(
  ctx: Ctx,
  input: Partial<OperatorMembers> & Pick<Operator, 'role'> & { readonly address: EmailAddress },
): Promise<Operator> {
  const { address, role, firstName = '', lastName = '', metadata = {} } = input;
  const { email, key: emailKey } = address;
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'mem');
    const operator = { id, email, emailKey, role, firstName, lastName, metadata };
    try {
      return await ctx.db.transaction(async (tx) => {
        const { environmentId } = ctx;
        const added = await insertOperator(tx, { environmentId, operator, now: ctx.now() });
        await note(ctx, tx, 'operator.created', added);
        return added;
      });
    } catch (error) {
      if (!isUniqueViolation(error, 'operators_pkey') || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

async function note(ctx: Ctx, tx: Db, type: string, operator: Operator): Promise<void> {
  const { id, email, role } = operator;
  await record(tx, eventOf(ctx, { type, data: { operator_id: id, email, role } }));
}
