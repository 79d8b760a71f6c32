import type { AuthService, User as SentUser } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { findClientRecord } from '../clients/clients.store.ts';
import { environmentOf } from '../environments/environments.ts';
import { eventOf, record } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { customClaimsFrom } from '../oauth/custom-claims.ts';
import { isReservedAudience } from '../oauth/resource-indicator.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { parseEmail } from '../users/email-address.ts';
import { type PartnerPerson, reportPartnerLogin } from './partner-logins.store.ts';

const LONGEST_SUBJECT = 255;
const LONGEST_TEXT = 255;
const MOST_NAMES = 100;
const LONGEST_NAME = 128;

/** What an application's backend says of a sign-in at its own login page (SSO-67). */
export const loginUserDetailsRpc: Slice<typeof AuthService> = {
  async updateLoginUserDetails(ctx, { connectionId, loginRequestId, user }) {
    if (connectionId.startsWith('res_') || connectionId.startsWith('app_'))
      throw invalidField(
        'connection_id',
        'is the id of an MCP server; its connection has an id of its own, conn_ and digits',
        'id',
      );
    checkId('connection_id', connectionId, 'conn');
    checkId('login_request_id', loginRequestId, 'lri');
    if (!user) throw invalidField('user', 'is missing', 'required');
    const person = user.loginFailed ? undefined : await personOf(ctx, user);
    const { environmentId } = ctx;
    const reported = await ctx.db.transaction(async (tx) => {
      const by = { environmentId, id: loginRequestId, connectionId, person, now: ctx.now() };
      const found = await reportPartnerLogin(tx, by);
      if (!found) return undefined;
      const event = {
        type: 'sign_in.reported',
        ...(person ? {} : { outcome: 'failure' as const, reason: 'login-failed' }),
        flowId: found.flowId,
        connectionId,
        data: { login_request_id: loginRequestId, ext_sub: person?.subject },
      };
      await record(tx, eventOf(withDb(ctx, tx), event));
      return found;
    });
    if (!reported)
      throw new ApiError(
        'not_found',
        'LOGIN_REQUEST_NOT_FOUND',
        'there is no such sign-in at this connection, or it is over',
      );
    return { authRequestId: reported.authRequestId ?? '' };
  },
};

async function personOf(ctx: Ctx, user: SentUser): Promise<PartnerPerson> {
  await checkSubject(ctx, user.sub);
  const address = parseEmail(user.email);
  if (!address) throw invalidField('user.email', 'is not an e-mail address', 'string.email');
  const texts = {
    given_name: user.givenName,
    family_name: user.familyName,
    name: user.name,
    phone_number: user.phoneNumber,
    preferred_username: user.preferredUsername,
    picture: user.picture,
    gender: user.gender,
    locale: user.locale,
    organization_external_id: user.organizationExternalId ?? '',
    organization_external_name: user.organizationExternalName ?? '',
  };
  checkText('user.', texts);
  for (const [name, value] of Object.entries(texts))
    if (value.length > (name === 'picture' ? 2048 : LONGEST_TEXT))
      throw invalidField(`user.${name}`, 'is too long', 'string.max_len');
  return {
    subject: user.sub,
    email: address.email,
    emailKey: address.key,
    emailVerified: user.emailVerified,
    name: user.name || [user.givenName, user.familyName].filter(Boolean).join(' '),
    givenName: user.givenName,
    familyName: user.familyName,
    phoneNumber: user.phoneNumber,
    picture: user.picture,
    gender: user.gender,
    locale: user.locale,
    preferredUsername: user.preferredUsername,
    claims: {
      roles: namesOf('user.roles', user.roles),
      groups: namesOf('user.groups', user.groups),
      attributes: attributesOf(user.customAttributes ?? {}),
      ...(user.organizationExternalId && { xoid: user.organizationExternalId }),
    },
  };
}

/** One that could be taken for somebody or something of ours is refused (AS-116, AS-148). */
async function checkSubject(ctx: Ctx, subject: string): Promise<void> {
  if (subject.length > LONGEST_SUBJECT)
    throw invalidField(
      'user.sub',
      `must have at most ${LONGEST_SUBJECT} characters`,
      'string.max_len',
    );
  checkText('user.', { sub: subject });
  const { environmentId } = ctx;
  const taken =
    /^https?:\/\//i.test(subject) ||
    isReservedAudience(subject, await environmentOf(ctx)) ||
    (await findClientRecord(ctx.db, { environmentId, id: subject })) !== undefined;
  if (taken)
    throw invalidField(
      'user.sub',
      'has the form of an id of this server or of a client',
      'reserved',
    );
}

function namesOf(field: string, names: readonly string[]): readonly string[] {
  if (names.length > MOST_NAMES)
    throw invalidField(field, `must be at most ${MOST_NAMES}`, 'repeated.max_items');
  checkText('', { [field]: names });
  const at = names.findIndex((name) => name === '' || name.length > LONGEST_NAME);
  if (at >= 0)
    throw invalidField(`${field}[${at}]`, `must be 1 to ${LONGEST_NAME} characters`, 'string.len');
  return [...new Set(names)];
}

function attributesOf(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (JSON.stringify(given).includes('\\u0000'))
    throw invalidField('user.custom_attributes', 'must not have zero characters', 'text');
  const { claims, ignored } = customClaimsFrom(given);
  const [name] = ignored;
  if (name !== undefined)
    throw invalidField(
      `user.custom_attributes.${name}`,
      'is the name of a claim that only this server sets, or more than tokens can carry',
      'reserved',
    );
  return claims;
}
