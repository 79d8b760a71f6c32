import { queueMail } from '../email/mails.ts';
import { templatedMail } from '../email/templated-mail.ts';
import { environmentOf } from '../environments/environments.ts';
import { eventOf, record } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import type { Organization } from '../organizations/organizations.ts';
import { invitationMail } from '../pages/invitation.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newSecret } from '../runtime/ids.ts';
import {
  acceptInvitationRow,
  findInvitation,
  findInvitationByLink,
  type Invitation,
  insertInvitation,
  type LinkedInvitation,
  resendInvitationRow,
} from './invitations.store.ts';
import { checkSeat, heldOrganization } from './membership-rules.ts';
import { lockMembership } from './memberships.store.ts';
import { noSuchMember, noSuchUser } from './user-errors.ts';
import { membershipFacts } from './user-facts.ts';
import { lockUser, type User, verifyEmail } from './users.store.ts';

const MINUTE_MS = 60_000;

type Invited = { readonly organization: Organization; readonly user: User };

/** Where the link of an invitation leads. */
export const INVITATION_PATH = '/login/invitation';

/**
 * Invites a person whose membership is pending: invitation, link, mail and event, in the transaction of the context.
 *
 * @param by.inviterEmail who invites, for the mail
 */
export async function invite(
  ctx: Ctx,
  by: Invited & { readonly inviterEmail: string | undefined },
): Promise<void> {
  const { organization, user, inviterEmail } = by;
  const token = newSecret(ctx);
  const expiresAt = await newEnd(ctx);
  await insertInvitation(ctx.db, {
    environmentId: ctx.environmentId,
    organizationId: organization.id,
    userId: user.id,
    inviterEmail,
    tokenHash: sha256(token),
    expiresAt,
    now: ctx.now(),
  });
  await tell(ctx, by, { token, expiresAt, inviterEmail });
}

/**
 * Sends an invitation once more. While it lives that is a reminder, with a link of its own beside the earlier ones; after its
 * end it is a new one, and the earlier links stay dead.
 *
 * @throws {ApiError} not_found: no such organization, person or membership; failed_precondition: it was accepted, or there was
 * none, or a new one would be one member too many
 */
export async function resendInvitation(
  ctx: Ctx,
  by: { readonly organizationId: string; readonly userId: string },
): Promise<Invitation> {
  const key = { environmentId: ctx.environmentId, ...by };
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const organization = await heldOrganization(inside, by.organizationId);
    const user = await lockUser(tx, { environmentId: ctx.environmentId, key: { id: by.userId } });
    if (!user) throw noSuchUser();
    if (!(await lockMembership(tx, key))) throw noSuchMember();
    const current = await findInvitation(tx, key);
    if (!current || current.acceptedAt) throw alreadyActive();
    const now = ctx.now();
    const renewed = current.expiresAt.getTime() <= now.getTime();
    if (renewed) await checkSeat(inside, organization);
    const expiresAt = renewed ? await newEnd(inside) : current.expiresAt;
    const token = newSecret(ctx);
    const sent = await resendInvitationRow(tx, {
      ...key,
      renewed,
      tokenHash: sha256(token),
      expiresAt,
      now,
    });
    if (!sent) throw alreadyActive();
    const { inviterEmail } = sent;
    await tell(inside, { organization, user }, { token, expiresAt, inviterEmail });
    return sent;
  });
}

/** The invitation behind a link, accepted and expired ones too. */
export async function invitationOf(ctx: Ctx, token: string): Promise<LinkedInvitation | undefined> {
  const { environmentId } = ctx;
  return await findInvitationByLink(ctx.db, { environmentId, tokenHash: sha256(token) });
}

/**
 * Accepts an invitation for the person who was sent its link, in the transaction of the context: they belong to the
 * organization, their address is proven, and they count as signed in. Of any number of calls one succeeds; after any other
 * answer the transaction has to be given up.
 *
 * @returns undefined when it was accepted, withdrawn or is over
 */
export async function acceptInvitation(
  ctx: Ctx,
  by: { readonly organization: Organization; readonly userId: string },
): Promise<User | undefined> {
  const { db, environmentId } = ctx;
  const { organization, userId } = by;
  const now = ctx.now();
  if (!(await lockUser(db, { environmentId, key: { id: userId } }))) return undefined;
  const key = { environmentId, organizationId: organization.id, userId };
  if (!(await acceptInvitationRow(db, { ...key, now }))) return undefined;
  const user = await verifyEmail(db, { environmentId, id: userId, now, signedIn: true });
  if (!user) return undefined;
  const type = 'user.organization_membership_created';
  const data = membershipFacts(organization, user);
  await record(db, eventOf(ctx, { type, organizationId: organization.id, userId, data }));
  return user;
}

async function newEnd(ctx: Ctx): Promise<Date> {
  const { settings } = await environmentOf(ctx);
  return new Date(ctx.now().getTime() + settings.invitationMinutes * MINUTE_MS);
}

async function tell(
  ctx: Ctx,
  { organization, user }: Invited,
  by: {
    readonly token: string;
    readonly expiresAt: Date;
    readonly inviterEmail: string | undefined;
  },
): Promise<void> {
  const { token, expiresAt, inviterEmail } = by;
  const link = `${ctx.issuer}${INVITATION_PATH}/${token}`;
  const minutes = Math.max(1, Math.round((expiresAt.getTime() - ctx.now().getTime()) / MINUTE_MS));
  const organizationName = organization.displayName;
  const builtIn = invitationMail({
    locale: 'en',
    organization: organizationName,
    inviter: inviterEmail,
    link,
    minutes,
    reference: ctx.requestId,
  });
  const { settings, displayName } = await environmentOf(ctx);
  const values = {
    link,
    minutes,
    user_email: user.email,
    user_name: user.name,
    app_name: settings.operatorName ?? displayName,
    app_support_email: settings.supportContact,
    organization_name: organizationName,
  };
  const mail = await templatedMail(
    ctx,
    { useCases: ['USER_INVITE'], organizationId: organization.id, values },
    builtIn,
  );
  await queueMail(ctx, { to: user.email, mail, link, expiresAt, send: true });
  const type = 'user.organization_invitation';
  const data = membershipFacts(organization, user);
  await record(
    ctx.db,
    eventOf(ctx, { type, organizationId: organization.id, userId: user.id, data }),
  );
}

function alreadyActive(): ApiError {
  return new ApiError(
    'failed_precondition',
    'ALREADY_ACTIVE',
    'there is no pending invitation: the user is a member already',
  );
}
