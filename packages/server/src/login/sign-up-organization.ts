import { environmentOf } from '../environments/environments.ts';
import { countAgainst } from '../environments/rate-limit.ts';
import { maySignUp } from '../environments/sign-up-rules.ts';
import { ApiError } from '../http/api-error.ts';
import { intercept } from '../interceptors/intercept.ts';
import { createOrganization, type Organization } from '../organizations/organizations.ts';
import { listRoles } from '../roles/roles.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { deviceOf } from '../sessions/device.ts';
import { openSessionIn } from '../sessions/sessions.store.ts';
import { addMember } from '../users/memberships.ts';
import type { UserMembers } from '../users/users.store.ts';
import { changeUser, type User } from '../users/users.ts';
import type { LoginRequest } from './login-requests.store.ts';

const DAY = 86_400;
const MOST_PER_DAY = 10;

export type OrganizationSignUp = {
  readonly user: User;
  readonly sessionId: string;
  /** As it is shown; not empty. */
  readonly name: string;
  /** Fills what the person's profile lacks; empty members say nothing. */
  readonly profile: Pick<UserMembers, 'name' | 'givenName' | 'familyName' | 'phoneNumber'>;
};

/**
 * Makes an organization for the person who has signed in in a login, with that person as its first member in the role of creators
 * (FSA-21). One login makes one, a person ten a day; a session that is open in none is open in it from now on. What fails leaves
 * nothing, its counts included.
 *
 * @throws {ApiError} permission_denied: the environment or the application does not allow it
 * @throws {ApiError} resource_exhausted, failed_precondition: enough of them; not_found: signed out meanwhile
 */
export async function signUpOrganization(
  ctx: Ctx,
  login: LoginRequest,
  signUp: OrganizationSignUp,
): Promise<Organization> {
  const { user, sessionId, name } = signUp;
  const { environmentId } = ctx;
  const { settings } = await environmentOf(ctx);
  // With its own sign-in, the application says which organization people belong to.
  if (login.details.ownSignIn !== undefined || !maySignUp(settings, user.emailKey))
    throw new ApiError(
      'permission_denied',
      'SIGN_UP_NOT_ALLOWED',
      'people do not make organizations here with this address',
    );
  // The application is not asked about what cannot be; who was quicker meanwhile is found when it is counted.
  await countSignUp(ctx, login, user, 0);
  await askAboutOrganization(ctx, login, user, name);
  return await ctx.db.transaction(async (tx) => {
    const inside = { ...withDb(ctx, tx), actor: { kind: 'user', id: user.id } as const };
    await countSignUp(inside, login, user, 1);
    const made = await createOrganization(inside, {
      displayName: name,
      externalId: undefined,
      slug: undefined,
      logoUrl: undefined,
      metadata: {},
      regionCode: 'US',
    });
    if (made.kind !== 'written') throw new Error('an organization without names was taken');
    const { organization } = made;
    const creator = (await listRoles(tx, { environmentId })).find((role) => role.defaultCreator);
    if (!creator) throw new Error('an environment has no role for creators');
    const roles = [{ id: creator.id }];
    const member = { roles, metadata: {}, inviterEmail: undefined, invite: false };
    await addMember(inside, organization.id, { id: user.id }, member);
    await changeUser(inside, { id: user.id }, (current) => completed(current, signUp.profile));
    const by = { environmentId, id: sessionId, organizationId: organization.id };
    if (!(await openSessionIn(tx, by)))
      throw new ApiError('not_found', 'NOT_SIGNED_IN', 'the session has ended');
    return organization;
  });
}

/**
 * Whether the login and the person have one more organization left. With a cost of 1 it is counted, inside of the transaction:
 * parallel calls of one login come one after the other, and one of them makes it.
 */
async function countSignUp(ctx: Ctx, login: LoginRequest, user: User, cost: 0 | 1): Promise<void> {
  const ofLogin = { name: 'organization-sign-up-login', key: login.id, windowSeconds: DAY, cost };
  const byLogin = await countAgainst(ctx, { ...ofLogin, max: cost });
  if (!byLogin.allowed)
    throw new ApiError(
      'failed_precondition',
      'ORGANIZATION_MADE',
      'this login has made its organization already',
    );
  const ofPerson = { name: 'organization-sign-up-day', key: user.id, windowSeconds: DAY, cost };
  // Nothing is used up by asking: then there must be one below the limit.
  const most = MOST_PER_DAY - 1 + cost;
  const { allowed, retryAfterSeconds } = await countAgainst(ctx, { ...ofPerson, max: most });
  if (allowed) return;
  throw new ApiError('resource_exhausted', 'TOO_MANY_ORGANIZATIONS', 'too many organizations', {
    retryAfter: retryAfterSeconds,
  });
}

/** As for a new person, whom it has been asked about already: now it knows the organization too (FSA-86). */
async function askAboutOrganization(
  ctx: Ctx,
  login: LoginRequest,
  user: User,
  name: string,
): Promise<void> {
  const verdict = await intercept(ctx, 'PRE_SIGNUP', () => ({
    flowId: login.flowId,
    context: {
      user_id: user.id,
      user_email: user.email,
      client_id: login.clientId,
      connection_details: [],
      auth_request: { login_hint: login.details.loginHint },
      device_type: deviceOf(ctx.network.userAgent).deviceType,
    },
    data: { organization: { name } },
  }));
  if (verdict.kind === 'deny')
    throw new ApiError(
      'permission_denied',
      'ACCESS_DENIED',
      verdict.message ?? 'the application refuses this organization',
    );
}

/** What applications said of the person stays. */
function completed(current: User, given: OrganizationSignUp['profile']): UserMembers {
  return {
    ...current,
    name: current.name || given.name,
    givenName: current.givenName || given.givenName,
    familyName: current.familyName || given.familyName,
    phoneNumber: current.phoneNumber || given.phoneNumber,
  };
}
