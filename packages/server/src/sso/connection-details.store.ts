import { type Db, json, type Sql, sql } from '../storage/db.ts';

/** How a sign-in went that only tried a connection out. */
export type TestResult = {
  readonly status: 'PENDING' | 'SUCCESS' | 'FAILURE';
  /** What the identity provider said of the person. */
  readonly userInfo: unknown;
  readonly error: string | undefined;
  readonly errorDescription: string | undefined;
  readonly errorDetails: string | undefined;
};

type ResultRow = {
  status: TestResult['status'];
  user_info: unknown;
  error: string | null;
  error_description: string | null;
  error_details: string | null;
};

export type TestRequestKey = {
  readonly environmentId: string;
  /** Absent: whoever the connection belongs to. */
  readonly organizationId?: string | undefined;
  readonly connectionId: string;
  readonly id: string;
};

export async function findTestResult(db: Db, by: TestRequestKey): Promise<TestResult | undefined> {
  const rows = await db.rows<ResultRow>(sql`
    select t.status, t.user_info, t.error, t.error_description, t.error_details from connection_test_requests t
      join connections c on c.environment_id = t.environment_id and c.id = t.connection_id
     where t.environment_id = ${by.environmentId} and t.connection_id = ${by.connectionId} and t.id = ${by.id}
       and (${by.organizationId}::text is null or c.organization_id = ${by.organizationId})`);
  return (
    rows[0] && {
      status: rows[0].status,
      userInfo: rows[0].user_info ?? undefined,
      error: rows[0].error ?? undefined,
      errorDescription: rows[0].error_description ?? undefined,
      errorDetails: rows[0].error_details ?? undefined,
    }
  );
}

export type ContextKey = {
  readonly environmentId: string;
  readonly connectionId: string;
  /** Absent: of the environment. */
  readonly organizationId: string | undefined;
};

/** Connections of the organization and of the environment may have notes of it, but not those of others. */
function visible({ environmentId, connectionId, organizationId }: ContextKey): Sql {
  return sql`c.environment_id = ${environmentId} and c.id = ${connectionId} and (c.organization_id is null or c.organization_id = ${organizationId}::text)`;
}

/** Absent when there is no such connection, empty when nothing was noted. */
export async function findContext(
  db: Db,
  by: ContextKey,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const rows = await db.rows<{ context: Record<string, unknown> | null }>(sql`
    select n.context from connections c left join connection_contexts n
        on n.environment_id = c.environment_id and n.connection_id = c.id and n.organization_id is not distinct from ${by.organizationId}::text
     where ${visible(by)}`);
  return rows[0] && (rows[0].context ?? {});
}

/** Replaces what was noted; false when there is no such connection. @throws foreign key violation: no such organization */
export async function writeContext(
  db: Db,
  by: ContextKey & { context: unknown; now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into connection_contexts (environment_id, connection_id, organization_id, context, updated_at)
    select c.environment_id, c.id, ${by.organizationId}::text, ${json(by.context)}::jsonb, ${by.now}::timestamptz from connections c where ${visible(by)}
    on conflict (environment_id, connection_id, coalesce(organization_id, '')) do update set context = excluded.context, updated_at = excluded.updated_at
    returning connection_id`);
  return rows.length === 1;
}
