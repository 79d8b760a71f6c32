import { type Db, json, sql } from '../storage/db.ts';
import { clientDigest } from './client.ts';
import type { ClientMetadata } from './client-metadata.ts';

export type DocumentWrite = {
  readonly environmentId: string;
  readonly url: string;
  readonly host: string;
  readonly metadata: ClientMetadata;
  /** For a row that does not exist yet, or comes back from being removed. */
  readonly revocationSecret: Uint8Array;
  readonly freshUntil: Date;
  readonly now: Date;
};

/**
 * Keeps a valid document and what it says as a client: both or neither. A removed client comes back as a new one, whose tokens
 * are not those that were revoked; an administrator's block and the memory of an assertion stay.
 */
export async function saveDocument(db: Db, document: DocumentWrite): Promise<void> {
  const { metadata } = document;
  const display = {
    ...metadata.metadata,
    ...(metadata.assertionOptional ? { assertionOptional: true } : {}),
  };
  await db.rows(sql`
    with document as (
      insert into client_documents (environment_id, url, host, document, digest, fetched_at, fresh_until)
      values (${document.environmentId}, ${document.url}, ${document.host}, ${json(metadata)}::jsonb, ${clientDigest(metadata)}, ${document.now}, ${document.freshUntil})
      on conflict (environment_id, url) do update set host = excluded.host, document = excluded.document, digest = excluded.digest, fetched_at = excluded.fetched_at,
        fresh_until = excluded.fresh_until)
    insert into clients (environment_id, id, kind, registration, name, application_type, redirect_uris, grant_types, response_types, token_endpoint_auth_method, metadata, jwks, jwks_uri,
      revocation_secret, created_at, updated_at)
    values (${document.environmentId}, ${document.url}, 'mcp', 'metadata-document', ${metadata.name}, ${metadata.applicationType}, ${metadata.redirectUris}, ${metadata.grantTypes},
      ${metadata.responseTypes}, ${metadata.tokenEndpointAuthMethod}, ${json(display)}::jsonb, ${json(metadata.jwks)}::jsonb, ${metadata.jwksUri}, ${document.revocationSecret},
      ${document.now}, ${document.now})
    on conflict (environment_id, id) do update set name = excluded.name, application_type = excluded.application_type, redirect_uris = excluded.redirect_uris,
      grant_types = excluded.grant_types, response_types = excluded.response_types, token_endpoint_auth_method = excluded.token_endpoint_auth_method, metadata = excluded.metadata,
      jwks = excluded.jwks, jwks_uri = excluded.jwks_uri, updated_at = excluded.updated_at, row_version = clients.row_version + 1,
      enabled = clients.enabled or clients.deleted_at is not null,
      revocation_secret = case when clients.deleted_at is null then clients.revocation_secret else excluded.revocation_secret end,
      completed_at = case when clients.deleted_at is null then clients.completed_at end,
      deleted_at = null, deleted_because = null`);
}

/** Whether any document of a host is, or was until it was removed, valid here. */
export async function isHostKnown(
  db: Db,
  by: { environmentId: string; host: string },
): Promise<boolean> {
  const rows = await db.rows(
    sql`select 1 as known from client_documents where environment_id = ${by.environmentId} and host = ${by.host} limit 1`,
  );
  return rows.length > 0;
}
