import { type Db, type Sql, sql } from '../storage/db.ts';
import type { UseCase } from './email-use-cases.ts';

/** The three parts of a template. */
export type TemplateTexts = {
  readonly subject: string;
  readonly html: string;
  readonly plain: string;
};

/** How mails of one use case look. */
export type EmailTemplate = TemplateTexts & {
  readonly id: string;
  readonly useCase: UseCase;
  readonly enabled: boolean;
  readonly updatedAt: Date;
};

/** Whose templates: the environment's, or those of one organization. */
export type TemplateScope = {
  readonly environmentId: string;
  readonly organizationId: string | undefined;
};

type Row = {
  id: string;
  use_case: UseCase;
  enabled: boolean;
  subject: string;
  html_content: string;
  plain_content: string;
  updated_at: Date;
};

const columns = sql`id, use_case, enabled, subject, html_content, plain_content, updated_at`;

const fromRow = (row: Row): EmailTemplate => ({
  id: row.id,
  useCase: row.use_case,
  enabled: row.enabled,
  subject: row.subject,
  html: row.html_content,
  plain: row.plain_content,
  updatedAt: row.updated_at,
});

const within = ({ environmentId, organizationId }: TemplateScope): Sql =>
  sql`environment_id = ${environmentId} and organization_id is not distinct from ${organizationId}::text`;

/** Lets nobody else add templates to the scope until the transaction ends. How many it has; undefined: there is no such organization. */
export async function countLocked(db: Db, scope: TemplateScope): Promise<number | undefined> {
  const { environmentId, organizationId } = scope;
  const found = await db.rows(
    organizationId === undefined
      ? sql`select id from environments where id = ${environmentId} for no key update`
      : sql`select id from organizations where environment_id = ${environmentId} and id = ${organizationId} for no key update`,
  );
  if (found.length === 0) return undefined;
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from email_templates where ${within(scope)}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** @throws unique violation on the id */
export async function insertTemplate(
  db: Db,
  by: TemplateScope & {
    readonly id: string;
    readonly useCase: UseCase;
    readonly texts: TemplateTexts;
    readonly now: Date;
  },
): Promise<EmailTemplate> {
  const { texts } = by;
  const rows = await db.rows<Row>(sql`
    insert into email_templates (environment_id, id, organization_id, use_case, subject, html_content, plain_content, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${by.organizationId}, ${by.useCase}, ${texts.subject}, ${texts.html}, ${texts.plain}, ${by.now}, ${by.now}) returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the template was not written');
  return fromRow(row);
}

export async function findTemplate(
  db: Db,
  scope: TemplateScope,
  id: string,
): Promise<EmailTemplate | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from email_templates where ${within(scope)} and id = ${id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export async function lockTemplate(
  db: Db,
  scope: TemplateScope,
  id: string,
): Promise<EmailTemplate | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from email_templates where ${within(scope)} and id = ${id} for update`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Newest first. Undefined: there is no such organization. */
export async function listTemplates(
  db: Db,
  scope: TemplateScope,
): Promise<EmailTemplate[] | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from email_templates where ${within(scope)} order by id desc`,
  );
  if (rows.length > 0 || scope.organizationId === undefined) return rows.map(fromRow);
  const found = await db.rows(
    sql`select id from organizations where environment_id = ${scope.environmentId} and id = ${scope.organizationId}`,
  );
  return found.length === 0 ? undefined : [];
}

/** Writes the texts of a template that is locked. */
export async function updateTemplate(
  db: Db,
  scope: TemplateScope,
  by: { readonly id: string; readonly texts: TemplateTexts; readonly now: Date },
): Promise<EmailTemplate> {
  const { texts } = by;
  const rows = await db.rows<Row>(sql`
    update email_templates set subject = ${texts.subject}, html_content = ${texts.html}, plain_content = ${texts.plain}, updated_at = ${by.now}
     where ${within(scope)} and id = ${by.id} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`template ${by.id} was not locked`);
  return fromRow(row);
}

/** Ends whatever template of the use case is enabled in the scope. Its id. */
export async function disableOfUseCase(
  db: Db,
  scope: TemplateScope,
  by: { readonly useCase: UseCase; readonly now: Date },
): Promise<string | undefined> {
  const rows = await db.rows<{ id: string }>(sql`
    update email_templates set enabled = false, updated_at = ${by.now} where ${within(scope)} and use_case = ${by.useCase} and enabled returning id`);
  return rows[0]?.id;
}

/** @throws unique violation: another one of the use case is enabled */
export async function enableTemplate(
  db: Db,
  scope: TemplateScope,
  by: { readonly id: string; readonly now: Date },
): Promise<void> {
  await db.rows(
    sql`update email_templates set enabled = true, updated_at = ${by.now} where ${within(scope)} and id = ${by.id}`,
  );
}

export async function deleteTemplate(
  db: Db,
  scope: TemplateScope,
  id: string,
): Promise<EmailTemplate | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from email_templates where ${within(scope)} and id = ${id} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The enabled template for a mail: the organization's before the environment's, and of each the first use case that has one. */
export async function findEnabledTemplate(
  db: Db,
  scope: TemplateScope,
  useCases: readonly UseCase[],
): Promise<EmailTemplate | undefined> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from email_templates
     where environment_id = ${scope.environmentId} and enabled and use_case = any(${useCases})
       and (organization_id is null or organization_id = ${scope.organizationId}::text)
     order by organization_id nulls last, array_position(${useCases}::text[], use_case) limit 1`);
  return rows[0] && fromRow(rows[0]);
}
