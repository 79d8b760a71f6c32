import { type Db, json, sql } from '../storage/db.ts';

/** As it is stored; what people are told of an invitation that is over is another word, see `statusOf`. */
export type MembershipStatus = 'ACTIVE' | 'INACTIVE' | 'PENDING_INVITE';

export type MemberRole = {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
};

/** One person in one organization. */
export type Membership = {
  readonly organizationId: string;
  readonly organizationName: string;
  readonly userId: string;
  readonly status: MembershipStatus;
  readonly metadata: Readonly<Record<string, string>>;
  /** How the person came in: `api`, `invitation`, `sign-up`, `sso`, `directory`. */
  readonly provisioningMethod: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Since when the person belongs to it; absent while invited. */
  readonly acceptedAt: Date | undefined;
  /** By name. */
  readonly roles: readonly MemberRole[];
  readonly inviterEmail: string | undefined;
  /** End of the invitation, if the person was invited. */
  readonly invitationExpiresAt: Date | undefined;
};

export type MembershipKey = {
  readonly environmentId: string;
  readonly organizationId: string;
  readonly userId: string;
};

type Row = {
  organization_id: string;
  organization_name: string;
  user_id: string;
  status: MembershipStatus;
  metadata: Record<string, string>;
  provisioning_method: string;
  created_at: Date;
  updated_at: Date;
  accepted_at: Date | null;
  inviter_email: string | null;
  expires_at: Date | null;
  roles: { id: string; name: string; display_name: string }[];
};

const select = sql`
  select m.organization_id, o.display_name as organization_name, m.user_id, m.status, m.metadata, m.provisioning_method, m.created_at, m.updated_at, m.accepted_at,
         i.inviter_email, i.expires_at,
         (select coalesce(json_agg(json_build_object('id', r.id, 'name', r.name, 'display_name', r.display_name) order by lower(r.name), r.id), '[]')
            from membership_roles mr join roles r on r.environment_id = mr.environment_id and r.id = mr.role_id
           where mr.environment_id = m.environment_id and mr.organization_id = m.organization_id and mr.user_id = m.user_id) as roles
    from memberships m
    join organizations o on o.environment_id = m.environment_id and o.id = m.organization_id
    left join invitations i on i.environment_id = m.environment_id and i.organization_id = m.organization_id and i.user_id = m.user_id`;

function fromRow(row: Row): Membership {
  return {
    organizationId: row.organization_id,
    organizationName: row.organization_name,
    userId: row.user_id,
    status: row.status,
    metadata: row.metadata,
    provisioningMethod: row.provisioning_method,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    acceptedAt: row.accepted_at ?? undefined,
    roles: row.roles.map(({ id, name, display_name }) => ({ id, name, displayName: display_name })),
    inviterEmail: row.inviter_email ?? undefined,
    invitationExpiresAt: row.expires_at ?? undefined,
  };
}

/** What answers and pages say of a membership: of an invitation that is over they say so. */
export function statusOf(
  membership: Pick<Membership, 'status' | 'invitationExpiresAt'>,
  now: Date,
): MembershipStatus | 'INVITE_EXPIRED' {
  const { status, invitationExpiresAt } = membership;
  if (status !== 'PENDING_INVITE' || !invitationExpiresAt) return status;
  return invitationExpiresAt.getTime() <= now.getTime() ? 'INVITE_EXPIRED' : status;
}

/** One person's membership in one organization. Only `ACTIVE` ones let anybody in. */
export async function findMembership(db: Db, by: MembershipKey): Promise<Membership | undefined> {
  const rows = await db.rows<Row>(sql`${select}
     where m.environment_id = ${by.environmentId} and m.organization_id = ${by.organizationId} and m.user_id = ${by.userId}`);
  return rows[0] && fromRow(rows[0]);
}

/** All memberships of these people with their roles, the oldest organizations first: one statement. */
export async function membershipsOfUsers(
  db: Db,
  by: { readonly environmentId: string; readonly userIds: readonly string[] },
): Promise<Membership[]> {
  if (by.userIds.length === 0) return [];
  const rows = await db.rows<Row>(sql`${select}
     where m.environment_id = ${by.environmentId} and m.user_id = any(${by.userIds}::text[]) order by m.user_id, m.organization_id`);
  return rows.map(fromRow);
}

/** All memberships of one person, of any status. */
export async function membershipsOfUser(
  db: Db,
  by: { readonly environmentId: string; readonly userId: string },
): Promise<Membership[]> {
  return await membershipsOfUsers(db, { environmentId: by.environmentId, userIds: [by.userId] });
}

/** @throws unique violation on `memberships_pkey`: is a member already; foreign key violation: person or organization is gone */
export async function insertMembership(
  db: Db,
  by: MembershipKey & {
    readonly status: MembershipStatus;
    readonly metadata: Readonly<Record<string, string>>;
    readonly provisioningMethod: string;
    readonly now: Date;
  },
): Promise<void> {
  await db.rows(sql`
    insert into memberships (environment_id, organization_id, user_id, status, metadata, provisioning_method, created_at, updated_at, accepted_at)
    values (${by.environmentId}, ${by.organizationId}, ${by.userId}, ${by.status}, ${json(by.metadata)}, ${by.provisioningMethod}, ${by.now}, ${by.now}, ${by.status === 'ACTIVE' ? by.now : undefined})`);
}

/** The membership's row, which nobody else changes until the transaction ends. False: there is none. */
export async function lockMembership(db: Db, by: MembershipKey): Promise<boolean> {
  const rows = await db.rows(sql`
    select user_id from memberships where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and user_id = ${by.userId} for no key update`);
  return rows.length > 0;
}

/** Notes a change of a membership; metadata only if given. */
export async function updateMembershipRow(
  db: Db,
  by: MembershipKey & {
    readonly metadata?: Readonly<Record<string, string>> | undefined;
    readonly now: Date;
  },
): Promise<void> {
  await db.rows(sql`
    update memberships set metadata = coalesce(${json(by.metadata)}::jsonb, metadata), updated_at = ${by.now}
     where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and user_id = ${by.userId}`);
}

/** Adds roles; those that the member has already stay. @throws foreign key violation: a role is gone */
export async function addMemberRoles(
  db: Db,
  by: MembershipKey & { readonly roleIds: readonly string[] },
): Promise<void> {
  await db.rows(sql`
    insert into membership_roles (environment_id, organization_id, user_id, role_id)
    select ${by.environmentId}, ${by.organizationId}, ${by.userId}, id from unnest(${by.roleIds}::text[]) as id on conflict do nothing`);
}

/** Takes away all roles but these. */
export async function keepMemberRoles(
  db: Db,
  by: MembershipKey & { readonly roleIds: readonly string[] },
): Promise<void> {
  await db.rows(sql`
    delete from membership_roles where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and user_id = ${by.userId} and role_id <> all(${by.roleIds}::text[])`);
}

/** False: the member did not have it. */
export async function removeMemberRole(
  db: Db,
  by: MembershipKey & { readonly roleId: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    delete from membership_roles where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} and user_id = ${by.userId} and role_id = ${by.roleId} returning role_id`);
  return rows.length > 0;
}

/** How many members and people with a living invitation an organization has, counted up to `most`. */
export async function countMembers(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly organizationId: string;
    readonly now: Date;
    readonly most: number;
  },
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`
    select count(*) as count from (
      select 1 from memberships m
        left join invitations i on m.status = 'PENDING_INVITE' and i.environment_id = m.environment_id and i.organization_id = m.organization_id and i.user_id = m.user_id
       where m.environment_id = ${by.environmentId} and m.organization_id = ${by.organizationId}
         and (m.status = 'ACTIVE' or (m.status = 'PENDING_INVITE' and i.expires_at > ${by.now})) limit ${by.most}) members`);
  return Number(rows[0]?.count ?? 0n);
}

/** Whether a person belongs to an organization besides this one, or is invited to one. */
export async function hasOtherMembership(
  db: Db,
  by: MembershipKey & { readonly now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    select 1 from memberships m
      left join invitations i on m.status = 'PENDING_INVITE' and i.environment_id = m.environment_id and i.organization_id = m.organization_id and i.user_id = m.user_id
     where m.environment_id = ${by.environmentId} and m.user_id = ${by.userId} and m.organization_id <> ${by.organizationId}
       and (m.status <> 'PENDING_INVITE' or i.expires_at > ${by.now}) limit 1`);
  return rows.length > 0;
}

/** Whether a person who keeps only these roles leaves no organization without an active member with the role of creators. */
export async function hasOtherAdministrator(
  db: Db,
  by: MembershipKey & { readonly keptRoleIds: readonly string[] },
): Promise<boolean> {
  const rows = await db.rows<{ user_id: string }>(sql`
    select mr.user_id from membership_roles mr
      join default_roles d on d.environment_id = mr.environment_id and d.creator_role_id = mr.role_id
      join memberships m on m.environment_id = mr.environment_id and m.organization_id = mr.organization_id and m.user_id = mr.user_id and m.status = 'ACTIVE'
     where d.creator_role_id <> all(${by.keptRoleIds}::text[]) and mr.environment_id = ${by.environmentId} and mr.organization_id = ${by.organizationId} order by (mr.user_id = ${by.userId}) limit 1`);
  return rows.length === 0 || rows[0]?.user_id !== by.userId;
}
