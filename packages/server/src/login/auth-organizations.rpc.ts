import { type AuthService, Intent } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { findOrganizations } from '../organizations/organizations.store.ts';
import { displayName } from '../pages/plain-text.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Session } from '../sessions/sessions.ts';
import { type Membership, membershipsOfUser, statusOf } from '../users/memberships.store.ts';
import { findUser, type User } from '../users/users.ts';
import { answering, changeByPage, loginOfPage, type PageLogin } from './auth-page.ts';
import { currentStep } from './current-step.ts';
import { signUpOrganization } from './sign-up-organization.ts';

/** Characters, as in the management API. */
const LONGEST_ORGANIZATION_NAME = 200;
const LONGEST_NAME = 120;

/** The organizations of the person who has signed in, for a login page of the operator's own. */
export const authOrganizationsRpc: Slice<typeof AuthService> = {
  async listUserOrganizations(ctx, _request, call) {
    const found = await loginOfPage(ctx, call);
    const { user } = await signedIn(ctx, found);
    const { db, environmentId } = ctx;
    const memberships = await membershipsOfUser(db, { environmentId, userId: user.id });
    const ids = memberships.map(({ organizationId }) => organizationId);
    const logos = new Map(
      (await findOrganizations(db, { environmentId, ids })).map(({ id, logoUrl }) => [id, logoUrl]),
    );
    const wantsSignUp = found.login.details.prompts.includes('create');
    return {
      organizations: memberships.map((one) => ({
        ...organizationMessage(ctx, one),
        ...urlOf(logos.get(one.organizationId)),
      })),
      user: { email: user.email, firstName: user.givenName, lastName: user.familyName },
      intent: wantsSignUp ? Intent.sign_up : Intent.sign_in,
    };
  },

  async signupOrganization(ctx, request, call) {
    return await answering(ctx, async () => {
      const found = await changeByPage(ctx, call);
      const { user, session } = await signedIn(ctx, found);
      const organization = await signUpOrganization(ctx, found.login, {
        user,
        sessionId: session.id,
        name: checkedName(request.organizationName),
        profile: {
          name: displayName(request.fullName, LONGEST_NAME),
          givenName: displayName(request.firstName, LONGEST_NAME),
          familyName: displayName(request.lastName, LONGEST_NAME),
          phoneNumber: displayName(request.phoneNumber, LONGEST_NAME),
        },
      });
      return { organizationId: organization.id, organizationName: organization.displayName };
    });
  },
};

/** @throws {ApiError} not_found: nobody has signed in as this login wants it */
async function signedIn(
  ctx: Ctx,
  { login, sessions }: PageLogin,
): Promise<{ readonly user: User; readonly session: Session }> {
  const { step } = await currentStep(ctx, login, sessions);
  const session = step.kind === 'done' ? sessions.current : undefined;
  const { db, environmentId } = ctx;
  const user = session && (await findUser(db, { environmentId, id: session.userId }));
  if (session && user?.enabled) return { session, user };
  throw new ApiError('not_found', 'NOT_SIGNED_IN', 'nobody has signed in in this login');
}

function organizationMessage(ctx: Ctx, membership: Membership) {
  const { organizationId, organizationName, createdAt, acceptedAt } = membership;
  const { inviterEmail, invitationExpiresAt } = membership;
  const isInvited = invitationExpiresAt !== undefined;
  return {
    id: organizationId,
    name: organizationName,
    membershipStatus: statusOf(membership, ctx.now()),
    ...(inviterEmail !== undefined && { invitationInviterEmail: inviterEmail }),
    ...(isInvited && {
      invitationCreatedAt: timestampOf(createdAt),
      invitationExpiresAt: timestampOf(invitationExpiresAt),
      ...(acceptedAt && { invitationAcceptedAt: timestampOf(acceptedAt) }),
    }),
  };
}

function urlOf(logoUrl: string | undefined) {
  return logoUrl === undefined ? {} : { logoUrl };
}

function checkedName(sent: string): string {
  if (sent.length > LONGEST_ORGANIZATION_NAME)
    throw invalidField(
      'organization_name',
      `has more than ${LONGEST_ORGANIZATION_NAME} characters`,
      'max_len',
    );
  const name = displayName(sent, LONGEST_ORGANIZATION_NAME);
  if (name === '') throw invalidField('organization_name', 'is missing', 'required');
  return name;
}
