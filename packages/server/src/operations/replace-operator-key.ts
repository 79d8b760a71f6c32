import { record } from '../events/events.ts';
import {
  createSecrets,
  type SecretRow,
  type Secrets,
  SecretUnreadable,
  type SecretUse,
} from '../runtime/secrets.ts';
import type { Operations } from './open-operations.ts';
import {
  findOperatorKeyCheck,
  listSealed,
  replaceOperatorKeyCheck,
  replaceSealed,
  SEALED_COLUMNS,
  type SealedColumn,
  type SealedValue,
} from './sealed-columns.store.ts';

/** One column of ciphertexts after a run. */
export type ResealedColumn = {
  /** table.column */
  readonly column: string;
  readonly resealed: number;
  /** Values that the first key alone does not read: written meanwhile by a process that still writes with another. */
  readonly left: number;
  /** Ids of rows that none of the configured keys reads; ten at most. */
  readonly unreadable: readonly string[];
};
export type ReplacedOperatorKey = {
  /** Id of the key that reads everything when this is complete. */
  readonly keyId: string;
  readonly columns: readonly ResealedColumn[];
  /** Whether the other keys are needed by nothing at rest any more. */
  readonly complete: boolean;
};

const AT_ONCE = 200;
const MOST_IDS_SHOWN = 10;
/** The row with which a start proves its key; see runtime/operator-key.ts. */
const CHECK = {
  use: 'secrets-at-rest',
  row: { table: 'deployment', environmentId: '', id: 'operator_key_check' },
} as const;

/**
 * Encrypts every secret at rest again with the first of the configured operator keys, and then says whether it alone reads all of
 * them (AS-150, AS-154). May be stopped and run again at any time. Until it is complete, a start without the old key is refused,
 * because the check of the operator key moves last.
 *
 * Refresh tokens need nothing: a retired one names the operator key of its rotation, which matters only during its grace (AS-108).
 */
export async function replaceOperatorKey(
  { app, environments }: Operations,
  options: { readonly checkOnly: boolean },
): Promise<ReplacedOperatorKey> {
  const first = app.config.secretKeys.slice(0, 1);
  const keys: Keys = { all: app.secrets, firstAlone: createSecrets(first, app.random) };
  const resealed = new Map<SealedColumn, number>();
  if (!options.checkOnly)
    for (const column of SEALED_COLUMNS)
      resealed.set(column, await resealColumn(app.db, keys, column));
  const columns: ResealedColumn[] = [];
  for (const column of SEALED_COLUMNS) {
    const { left, unreadable } = await lookAtColumn(app.db, keys, column);
    const name = `${column.table}.${column.name}`;
    columns.push({ column: name, resealed: resealed.get(column) ?? 0, left, unreadable });
  }
  const readable = columns.every(({ left }) => left === 0);
  if (readable && !options.checkOnly) await moveCheck(app.db, keys);
  if (!options.checkOnly) await recordReplacement({ app, environments }, columns, readable);
  return {
    keyId: app.secrets.keyId,
    columns,
    complete: readable && (await hasMoved(app.db, keys)),
  };
}

async function moveCheck(db: Db, keys: Keys): Promise<void> {
  const sealed = await findOperatorKeyCheck(db);
  if (!sealed) return;
  const plaintext = keys.all.open(CHECK.use, CHECK.row, sealed);
  await replaceOperatorKeyCheck(db, sealed, keys.all.seal(CHECK.use, CHECK.row, plaintext));
}

async function hasMoved(db: Db, keys: Keys): Promise<boolean> {
  const sealed = await findOperatorKeyCheck(db);
  return (
    sealed !== undefined && openedRow(keys.firstAlone, CHECK.use, CHECK.row, sealed) !== undefined
  );
}

async function recordReplacement(
  { app, environments }: Pick<Operations, 'app' | 'environments'>,
  columns: readonly ResealedColumn[],
  complete: boolean,
): Promise<void> {
  const resealed = columns.reduce((sum, column) => sum + column.resealed, 0);
  for (const { id } of environments)
    await record(app.db, {
      environmentId: id,
      type: 'operator_key.replaced',
      outcome: complete ? 'success' : 'failure',
      occurredAt: app.now(),
      data: { keyId: app.secrets.keyId, resealed },
    });
}

type Keys = { readonly all: Secrets; readonly firstAlone: Secrets };
type Db = Operations['app']['db'];

async function resealColumn(db: Db, keys: Keys, column: SealedColumn): Promise<number> {
  let resealed = 0;
  for await (const batch of batchesOf(db, column)) {
    const old = batch.flatMap((value) => {
      if (opened(keys.firstAlone, column, value)) return [];
      const plaintext = opened(keys.all, column, value);
      return plaintext ? [{ value, plaintext }] : [];
    });
    // Nothing but statements inside: a transaction may run again.
    await db.transaction(async (tx) => {
      for (const { value, plaintext } of old) {
        const sealed = keys.all.seal(column.use, rowOf(column, value), plaintext);
        await replaceSealed(tx, column, value, sealed);
      }
    });
    resealed += old.length;
  }
  return resealed;
}

async function lookAtColumn(
  db: Db,
  keys: Keys,
  column: SealedColumn,
): Promise<{ left: number; unreadable: string[] }> {
  let left = 0;
  const unreadable: string[] = [];
  for await (const batch of batchesOf(db, column)) {
    for (const value of batch) {
      if (opened(keys.firstAlone, column, value)) continue;
      left += 1;
      if (unreadable.length < MOST_IDS_SHOWN && !opened(keys.all, column, value))
        unreadable.push(value.id);
    }
  }
  return { left, unreadable };
}

async function* batchesOf(db: Db, column: SealedColumn): AsyncGenerator<SealedValue[]> {
  let after = { environmentId: '', id: '' };
  for (;;) {
    const batch = await listSealed(db, column, after, AT_ONCE);
    const last = batch.at(-1);
    if (!last) return;
    yield batch;
    after = { environmentId: last.environmentId, id: last.id };
  }
}

function opened(
  secrets: Secrets,
  column: SealedColumn,
  value: SealedValue,
): Uint8Array | undefined {
  return openedRow(secrets, column.use, rowOf(column, value), value.sealed);
}

function openedRow(
  secrets: Secrets,
  use: SecretUse,
  row: SecretRow,
  sealed: Uint8Array,
): Uint8Array | undefined {
  try {
    return secrets.open(use, row, sealed);
  } catch (error) {
    if (error instanceof SecretUnreadable) return undefined;
    throw error;
  }
}

function rowOf({ table }: SealedColumn, { environmentId, id }: SealedValue): SecretRow {
  return { table, environmentId, id };
}
