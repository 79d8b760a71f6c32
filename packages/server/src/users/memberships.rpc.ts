import type { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { askAboutInvitation } from './ask-about-invitation.ts';
import { resendInvitation } from './invitations.ts';
import {
  addMember,
  changeMembership,
  createUserAndMembership,
  type NewMember,
} from './memberships.ts';
import { ceilingOf } from './privilege-ceiling.ts';
import { emailOf, keyOf, newMembers, type SentRole, wantedRoles } from './user-input.ts';
import { userWithMemberships, viewOf } from './user-message.ts';

/** Memberships: who belongs to which organization, and invitations to them. */
export const membershipsRpc: Slice<typeof UserService> = {
  async createUserAndMembership(ctx, { organizationId, user, sendInvitationEmail }) {
    checkId('organization_id', organizationId, 'org');
    if (!user) throw invalidField('user', 'is missing', 'required');
    const person = { address: emailOf('user.email', user.email), members: newMembers(user) };
    const member = newMember('user.membership', user.membership, sendInvitationEmail);
    const { email, key: emailKey } = person.address;
    if (member.invite) await askAboutInvitation(ctx, organizationId, { email, emailKey });
    const created = await createUserAndMembership(ctx, organizationId, person, member);
    return { user: await userWithMemberships(ctx, created) };
  },

  async createMembership(ctx, { organizationId, identities, membership, sendInvitationEmail }) {
    checkId('organization_id', organizationId, 'org');
    const key = keyOf(identities);
    if (!membership) throw invalidField('membership', 'is missing', 'required');
    const member = newMember('membership', membership, sendInvitationEmail);
    if (member.invite) await askAboutInvitation(ctx, organizationId, key);
    const user = await addMember(ctx, organizationId, key, member);
    return { user: await userWithMemberships(ctx, user) };
  },

  async updateMembership(ctx, { organizationId, identities, membership }, { caller }) {
    checkId('organization_id', organizationId, 'org');
    const key = keyOf(identities);
    if (!membership) throw invalidField('membership', 'is missing', 'required');
    const { metadata } = membership;
    checkText('membership.', { metadata: Object.entries(metadata).flat() });
    const roles = wantedRoles('membership.roles', membership.roles);
    const change = { roles, metadata };
    const user = await changeMembership(ctx, organizationId, key, change, ceilingOf(caller));
    return { user: await userWithMemberships(ctx, user, viewOf(caller, organizationId)) };
  },

  async resendInvite(ctx, { organizationId, id }) {
    checkId('organization_id', organizationId, 'org');
    checkId('id', id, 'usr');
    const invitation = await resendInvitation(ctx, { organizationId, userId: id });
    const { inviterEmail, createdAt, expiresAt, resentAt, resentCount } = invitation;
    return {
      invite: {
        organizationId,
        userId: id,
        status: 'PENDING_INVITE',
        createdAt: timestampOf(createdAt),
        expiresAt: timestampOf(expiresAt),
        resentCount,
        ...(inviterEmail !== undefined && { inviterEmail }),
        ...(resentAt && { resentAt: timestampOf(resentAt) }),
      },
    };
  },
};

type SentMembership = {
  readonly roles: readonly SentRole[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly inviterEmail?: string | undefined;
};

/** @throws {ApiError} invalid_argument */
function newMember(
  field: string,
  membership: SentMembership | undefined,
  sendInvitationEmail: boolean | undefined,
): NewMember {
  const { roles = [], metadata = {}, inviterEmail } = membership ?? {};
  checkText(`${field}.`, { metadata: Object.entries(metadata).flat() });
  return {
    roles: wantedRoles(`${field}.roles`, roles),
    metadata,
    inviterEmail: inviterEmail ? emailOf(`${field}.inviter_email`, inviterEmail).email : undefined,
    invite: sendInvitationEmail ?? true,
  };
}
