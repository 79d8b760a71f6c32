import { type Db, sql } from '../storage/db.ts';
import type { AttributeDatatype, AttributeKind } from './user-attributes-standard.ts';

/** What a change of an attribute may touch. */
export type UserAttributeMembers = {
  readonly label: string;
  readonly datatype: AttributeDatatype;
  readonly enabled: boolean;
  /** People without a value are refused, or shown as incomplete. */
  readonly required: boolean;
  readonly samlMapping: string | undefined;
  readonly oidcMapping: string | undefined;
};

/** An attribute of people that the application defined. */
export type UserAttribute = UserAttributeMembers & { readonly key: string };

type Row = {
  key: string;
  label: string;
  datatype: AttributeDatatype;
  enabled: boolean;
  required: boolean;
  saml_mapping: string | null;
  oidc_mapping: string | null;
};

const columns = sql`key, label, datatype, enabled, required, saml_mapping, oidc_mapping`;

const fromRow = (row: Row): UserAttribute => ({
  key: row.key,
  label: row.label,
  datatype: row.datatype,
  enabled: row.enabled,
  required: row.required,
  samlMapping: row.saml_mapping ?? undefined,
  oidcMapping: row.oidc_mapping ?? undefined,
});

type Whose = { readonly environmentId: string; readonly kind: AttributeKind };

/** Oldest first. */
export async function listUserAttributes(db: Db, by: Whose): Promise<UserAttribute[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from user_attributes where environment_id = ${by.environmentId} and kind = ${by.kind} order by created_at, key`);
  return rows.map(fromRow);
}

/** Lets nobody else add attributes of the environment until the transaction ends, and counts those of the kind. */
export async function countLocked(db: Db, by: Whose): Promise<number> {
  await db.rows(sql`select id from environments where id = ${by.environmentId} for no key update`);
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from user_attributes where environment_id = ${by.environmentId} and kind = ${by.kind}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** @throws unique violation: there is one of this key, in any case */
export async function insertUserAttribute(
  db: Db,
  by: Whose & { readonly attribute: UserAttribute; readonly now: Date },
): Promise<void> {
  const { attribute: a } = by;
  await db.rows(sql`
    insert into user_attributes (environment_id, kind, key, label, datatype, enabled, required, saml_mapping, oidc_mapping, created_at, updated_at)
    values (${by.environmentId}, ${by.kind}, ${a.key}, ${a.label}, ${a.datatype}, ${a.enabled}, ${a.required}, ${a.samlMapping}, ${a.oidcMapping}, ${by.now}, ${by.now})`);
}

/** The attribute of this key, in any case, which nobody else changes until the transaction ends. */
export async function lockUserAttribute(
  db: Db,
  by: Whose & { readonly key: string },
): Promise<UserAttribute | undefined> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from user_attributes
     where environment_id = ${by.environmentId} and kind = ${by.kind} and lower(key) = lower(${by.key}) for update`);
  return rows[0] && fromRow(rows[0]);
}

/** Writes all members of an attribute that is locked. */
export async function updateUserAttribute(
  db: Db,
  by: Whose & { readonly key: string; readonly members: UserAttributeMembers; readonly now: Date },
): Promise<void> {
  const { members: m } = by;
  await db.rows(sql`
    update user_attributes set label = ${m.label}, datatype = ${m.datatype}, enabled = ${m.enabled}, required = ${m.required},
      saml_mapping = ${m.samlMapping}, oidc_mapping = ${m.oidcMapping}, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and kind = ${by.kind} and key = ${by.key}`);
}

/**
 * The attribute that was deleted.
 *
 * @throws foreign key violation: a directory fills it, see `isInUse`
 */
export async function deleteUserAttribute(
  db: Db,
  by: Whose & { readonly key: string },
): Promise<UserAttribute | undefined> {
  const rows = await db.rows<Row>(sql`
    delete from user_attributes where environment_id = ${by.environmentId} and kind = ${by.kind} and lower(key) = lower(${by.key}) returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}
