import { type Db, sql } from '../storage/db.ts';
import type { MembershipKey, MembershipStatus } from './memberships.store.ts';

export type Invitation = {
  readonly organizationId: string;
  readonly userId: string;
  readonly inviterEmail: string | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly resentAt: Date | undefined;
  readonly resentCount: number;
  readonly acceptedAt: Date | undefined;
};

type Row = {
  organization_id: string;
  user_id: string;
  inviter_email: string | null;
  created_at: Date;
  expires_at: Date;
  resent_at: Date | null;
  resent_count: number;
  accepted_at: Date | null;
};

const columns = sql`i.organization_id, i.user_id, i.inviter_email, i.created_at, i.expires_at, i.resent_at, i.resent_count, i.accepted_at`;

function fromRow(row: Row): Invitation {
  return {
    organizationId: row.organization_id,
    userId: row.user_id,
    inviterEmail: row.inviter_email ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    resentAt: row.resent_at ?? undefined,
    resentCount: row.resent_count,
    acceptedAt: row.accepted_at ?? undefined,
  };
}

const own = (by: MembershipKey) =>
  sql`i.environment_id = ${by.environmentId} and i.organization_id = ${by.organizationId} and i.user_id = ${by.userId}`;

/** A new invitation with its first link. */
export async function insertInvitation(
  db: Db,
  by: MembershipKey & {
    readonly inviterEmail: string | undefined;
    readonly tokenHash: Uint8Array;
    readonly expiresAt: Date;
    readonly now: Date;
  },
): Promise<void> {
  await db.rows(sql`
    with added as (
      insert into invitations (environment_id, organization_id, user_id, inviter_email, created_at, expires_at)
      values (${by.environmentId}, ${by.organizationId}, ${by.userId}, ${by.inviterEmail}, ${by.now}, ${by.expiresAt})
      returning environment_id, organization_id, user_id
    )
    insert into invitation_links (environment_id, token_hash, organization_id, user_id, created_at)
    select environment_id, ${by.tokenHash}::bytea, organization_id, user_id, ${by.now}::timestamptz from added`);
}

/** The invitation of a membership that is locked. */
export async function findInvitation(db: Db, by: MembershipKey): Promise<Invitation | undefined> {
  const rows = await db.rows<Row>(sql`select ${columns} from invitations i where ${own(by)}`);
  return rows[0] && fromRow(rows[0]);
}

/**
 * Writes down a reminder, or with `renewed` a new invitation, whose earlier links are no longer any; and adds a link. One that
 * was accepted meanwhile is left alone.
 */
export async function resendInvitationRow(
  db: Db,
  by: MembershipKey & {
    readonly renewed: boolean;
    readonly tokenHash: Uint8Array;
    readonly expiresAt: Date;
    readonly now: Date;
  },
): Promise<Invitation | undefined> {
  const rows = await db.rows<Row>(sql`
    with sent as (
      update invitations i set resent_count = resent_count + 1, resent_at = ${by.now}, expires_at = ${by.expiresAt},
        created_at = case when ${by.renewed}::boolean then ${by.now} else created_at end
       where ${own(by)} and i.accepted_at is null returning i.environment_id, ${columns}
    ), dead as (
      delete from invitation_links l using sent
       where ${by.renewed}::boolean and l.environment_id = sent.environment_id and l.organization_id = sent.organization_id and l.user_id = sent.user_id
    ), added as (
      insert into invitation_links (environment_id, token_hash, organization_id, user_id, created_at)
      select environment_id, ${by.tokenHash}::bytea, organization_id, user_id, ${by.now}::timestamptz from sent
    )
    select organization_id, user_id, inviter_email, created_at, expires_at, resent_at, resent_count, accepted_at from sent`);
  return rows[0] && fromRow(rows[0]);
}

export type LinkedInvitation = Invitation & { readonly status: MembershipStatus };

/** The invitation that a mailed link belongs to, whatever became of it. */
export async function findInvitationByLink(
  db: Db,
  by: { readonly environmentId: string; readonly tokenHash: Uint8Array },
): Promise<LinkedInvitation | undefined> {
  const rows = await db.rows<Row & { status: MembershipStatus }>(sql`
    select ${columns}, m.status from invitation_links l
      join invitations i on i.environment_id = l.environment_id and i.organization_id = l.organization_id and i.user_id = l.user_id
      join memberships m on m.environment_id = l.environment_id and m.organization_id = l.organization_id and m.user_id = l.user_id
     where l.environment_id = ${by.environmentId} and l.token_hash = ${by.tokenHash}`);
  const row = rows[0];
  return row && { ...fromRow(row), status: row.status };
}

/** The gate: of any number of callers one gets true, and the person then belongs to the organization. */
export async function acceptInvitationRow(
  db: Db,
  by: MembershipKey & { readonly now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    with accepted as (
      update invitations i set accepted_at = ${by.now}
       where ${own(by)} and i.accepted_at is null and i.expires_at > ${by.now} returning i.environment_id, i.organization_id, i.user_id
    )
    update memberships m set status = 'ACTIVE', accepted_at = ${by.now}, updated_at = ${by.now} from accepted
     where m.environment_id = accepted.environment_id and m.organization_id = accepted.organization_id and m.user_id = accepted.user_id and m.status = 'PENDING_INVITE'
    returning m.user_id`);
  return rows.length === 1;
}
