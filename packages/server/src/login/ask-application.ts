import { environmentOf } from '../environments/environments.ts';
import { maySignUp } from '../environments/sign-up-rules.ts';
import { recordFor } from '../events/events.ts';
import { isMembers, type JsonMembers } from '../interceptors/ask-interceptor.ts';
import { intercept, type TriggerPoint, type Verdict } from '../interceptors/intercept.ts';
import { type CustomClaims, customClaimsFrom } from '../oauth/custom-claims.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { WantedRole } from '../roles/assignments.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { deviceOf } from '../sessions/device.ts';
import { type Membership, membershipsOfUser } from '../users/memberships.store.ts';
import { findUserByEmail, type User } from '../users/users.store.ts';
import type { LoginRequest } from './login-requests.store.ts';

/** What the application's interceptors want of a sign-in that has been proven. */
export type ApplicationWish =
  | {
      readonly kind: 'go-on';
      /** What it was asked: whether somebody may sign up, or whether somebody known may go on. */
      readonly asked: 'sign-up' | 'sign-in';
      /** For the tokens of the session, under `custom_claims`. */
      readonly claims: CustomClaims;
      /** For a person who is new. */
      readonly membership: WantedMembership | undefined;
    }
  | {
      readonly kind: 'deny';
      readonly reason: 'interceptor-denied' | 'sign-up-not-allowed';
      readonly message: string | undefined;
    };

export type WantedMembership = {
  readonly organizationId: string;
  readonly roles: readonly WantedRole[];
};

/**
 * Asks the application's interceptors about a person who proved an address, before anybody is signed in (FSA-86, FSA-87): whether
 * somebody new may sign up and where they belong, whether somebody known may go on, and what the session's tokens shall say. To be
 * called outside of transactions. Whoever is switched off is not asked about; they are told after the proof.
 */
export async function askApplication(
  ctx: Ctx,
  login: LoginRequest,
  proof: { readonly email: string; readonly emailKey: string },
): Promise<ApplicationWish> {
  const { db, environmentId } = ctx;
  const known = await findUserByEmail(db, { environmentId, emailKey: proof.emailKey });
  const { settings } = await environmentOf(ctx);
  // The mail may be older than the setting, and a test user needs none.
  if (!known && !maySignUp(settings, proof.emailKey))
    return { kind: 'deny', reason: 'sign-up-not-allowed', message: undefined };
  if (known && !known.enabled)
    return { kind: 'go-on', asked: 'sign-in', claims: {}, membership: undefined };
  const subject = { ...proof, user: known };
  const first = known
    ? await ask(ctx, 'POST_USER_AUTHENTICATION', login, subject)
    : await ask(ctx, 'PRE_SIGNUP', login, subject);
  if (first.kind === 'deny') return { ...first, reason: 'interceptor-denied' };
  const second = await ask(ctx, 'PRE_SESSION_CREATION', login, subject);
  if (second.kind === 'deny') return { ...second, reason: 'interceptor-denied' };
  return {
    kind: 'go-on',
    asked: known ? 'sign-in' : 'sign-up',
    claims: await claimsFrom(ctx, login, second.responses),
    membership: known ? undefined : await membershipFrom(ctx, login, first.responses),
  };
}

/**
 * The same about a person who comes in by the link of an invitation (FSA-64): somebody known, whose session no client asked for.
 */
export async function askAboutInvited(
  ctx: Ctx,
  user: User,
): Promise<
  | { readonly kind: 'go-on'; readonly claims: CustomClaims }
  | Extract<Verdict, { readonly kind: 'deny' }>
> {
  const subject = { email: user.email, user };
  const first = await ask(ctx, 'POST_USER_AUTHENTICATION', undefined, subject);
  if (first.kind === 'deny') return first;
  const second = await ask(ctx, 'PRE_SESSION_CREATION', undefined, subject);
  if (second.kind === 'deny') return second;
  return { kind: 'go-on', claims: await claimsFrom(ctx, undefined, second.responses) };
}

type Subject = { readonly email: string; readonly user: User | undefined };

/** One trigger. Nobody reads memberships when there is no interceptor. */
async function ask(
  ctx: Ctx,
  trigger: TriggerPoint,
  login: LoginRequest | undefined,
  { email, user }: Subject,
): Promise<Verdict> {
  const { db, environmentId } = ctx;
  return await intercept(ctx, trigger, async () => {
    const memberships = user ? await membershipsOfUser(db, { environmentId, userId: user.id }) : [];
    const newcomer =
      trigger === 'PRE_SIGNUP' ? undefined : { email, email_verified: true, memberships: [] };
    const person = user ? personOf(user, memberships) : newcomer;
    return {
      flowId: login?.flowId,
      context: contextOf(ctx, login, email, user, memberships),
      data: person ? { user: person } : {},
    };
  });
}

function contextOf(
  ctx: Ctx,
  login: LoginRequest | undefined,
  email: string,
  known: User | undefined,
  memberships: readonly Membership[],
): JsonMembers {
  const active = memberships.filter(({ status }) => status === 'ACTIVE');
  return {
    user_id: known?.id,
    user_email: email,
    organization_id: active.length === 1 ? active[0]?.organizationId : undefined,
    client_id: login?.clientId,
    connection_details: [],
    auth_request: { login_hint: login?.details.loginHint },
    device_type: deviceOf(ctx.network.userAgent).deviceType,
  };
}

function personOf(user: User, memberships: readonly Membership[]): JsonMembers {
  return {
    id: user.id,
    email: user.email,
    email_verified: true,
    memberships: memberships.map(({ organizationId, status }) => ({
      organization_id: organizationId,
      status,
    })),
    custom_attributes: user.customAttributes,
    raw_attributes: {},
  };
}

async function claimsFrom(
  ctx: Ctx,
  login: LoginRequest | undefined,
  responses: readonly JsonMembers[],
): Promise<CustomClaims> {
  const given: Record<string, unknown> = {};
  for (const { claims } of responses) if (isMembers(claims)) Object.assign(given, claims);
  const { claims, ignored } = customClaimsFrom(given);
  if (ignored.length > 0)
    await recordFor(ctx, {
      type: 'interceptor.claims_ignored',
      outcome: 'failure',
      reason: 'interceptor_claims',
      flowId: login?.flowId,
      clientId: login?.clientId,
      data: { claims: ignored.slice(0, 50) },
    });
  return claims;
}

/** The last word counts. An organization that there is not is nothing to belong to: the log says so, and the person is still new. */
async function membershipFrom(
  ctx: Ctx,
  login: LoginRequest,
  responses: readonly JsonMembers[],
): Promise<WantedMembership | undefined> {
  const { db, environmentId } = ctx;
  const wanted = responses.map((one) => one['create_organization_membership']).findLast(isMembers);
  if (!wanted) return undefined;
  const { organization_id: id, external_organization_id: externalId, roles } = wanted;
  const key =
    typeof id === 'string' && id !== ''
      ? { id }
      : typeof externalId === 'string' && externalId !== ''
        ? { externalId }
        : undefined;
  const organization =
    key && !Object.values(key).some((text) => text.includes('\0'))
      ? await findOrganization(db, { environmentId, key })
      : undefined;
  if (!organization) {
    await recordFor(ctx, {
      type: 'interceptor.membership_ignored',
      outcome: 'failure',
      reason: 'organization-unknown',
      flowId: login.flowId,
      clientId: login.clientId,
    });
    return undefined;
  }
  return { organizationId: organization.id, roles: rolesFrom(roles) };
}

/** Whatever cannot be the name of a role stands for one that there is not: it must not end up as the role that everybody gets. */
function rolesFrom(given: unknown): WantedRole[] {
  if (given === undefined || given === null) return [];
  const names: readonly unknown[] = Array.isArray(given) ? given : [undefined];
  return names.map((name) => ({
    name: typeof name === 'string' && !name.includes('\0') ? name : '',
  }));
}
