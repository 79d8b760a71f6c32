import type { JWTPayload } from 'jose';
import { ScalekitException, ScalekitValidateTokenFailureException } from './errors.ts';
import type { JwtVerifier } from './signed-jwt.ts';
import type { TokenAnswer } from './token-endpoint.ts';

export type AuthenticationOptions = {
  /** Of the challenge that the authorization URL had. */
  readonly codeVerifier?: string;
  /** Of the authorization URL: another one in the ID token is refused (OpenID Connect Core §3.1.3.7). */
  readonly nonce?: string;
};

/** An identity provider's word about a person, as it stands in the ID token. */
export type IdTokenClaimIdentity = {
  readonly connection_id: string;
  readonly organization_id: string;
  readonly connection_type: string;
  readonly provider_name: string;
  readonly social: boolean;
  readonly provider_raw_attributes: string;
};

/** Who signed in. */
export type SignedInUser = {
  readonly id: string;
  readonly username?: string;
  readonly name?: string;
  readonly givenName?: string;
  readonly familyName?: string;
  readonly email?: string;
  readonly emailVerified?: boolean;
  readonly phoneNumber?: string;
  readonly phoneNumberVerified?: boolean;
  readonly profile?: string;
  readonly picture?: string;
  readonly gender?: string;
  readonly birthDate?: string;
  readonly zoneInfo?: string;
  readonly locale?: string;
  readonly updatedAt?: string;
  readonly identities?: readonly IdTokenClaimIdentity[];
  readonly metadata?: string;
};

export type AuthenticationResponse = {
  readonly user: SignedInUser;
  readonly idToken: string;
  readonly accessToken: string;
  /** Seconds. */
  readonly expiresIn: number;
  /** Empty without the scope offline_access. */
  readonly refreshToken: string;
};

export type RefreshTokenResponse = {
  readonly accessToken: string;
  /** The next one; the one that was sent is used up. */
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number | undefined;
  readonly idToken: string | undefined;
};

/** Names of the members of a user, by the claim that each comes from. */
const USER_MEMBERS: Readonly<Record<string, keyof SignedInUser>> = {
  sub: 'id',
  preferred_username: 'username',
  name: 'name',
  given_name: 'givenName',
  family_name: 'familyName',
  email: 'email',
  email_verified: 'emailVerified',
  phone_number: 'phoneNumber',
  phone_number_verified: 'phoneNumberVerified',
  profile: 'profile',
  picture: 'picture',
  gender: 'gender',
  birthdate: 'birthDate',
  zoneinfo: 'zoneInfo',
  locale: 'locale',
  updated_at: 'updatedAt',
  identities: 'identities',
  metadata: 'metadata',
};

/**
 * Reads who signed in from an answer to a code, after verifying its ID token like any other: signature, issuer and
 * client. Scalekit's SDK takes its claims unverified.
 *
 * @throws {ScalekitException} there is no ID token
 * @throws {ScalekitValidateTokenFailureException} it is not for this client, or not of this sign-in
 */
export async function signedIn(
  answer: TokenAnswer,
  rules: { readonly issuer: string; readonly clientId: string; readonly nonce: string | undefined },
  verify: JwtVerifier,
): Promise<AuthenticationResponse> {
  const { idToken, accessToken, refreshToken, expiresIn } = answer;
  if (!idToken) throw new ScalekitException('Missing id_token in authentication response');
  const claims = await verify(idToken, {
    typ: 'JWT',
    issuer: rules.issuer,
    audience: rules.clientId,
  });
  if (rules.nonce !== undefined && claims['nonce'] !== rules.nonce)
    throw new ScalekitValidateTokenFailureException('nonce', 'The ID token is of another sign-in');
  return {
    user: userOf(claims),
    idToken,
    accessToken,
    expiresIn: expiresIn ?? 0,
    refreshToken: refreshToken ?? '',
  };
}

function userOf(claims: JWTPayload): SignedInUser {
  const user: Record<string, unknown> = {};
  for (const [claim, value] of Object.entries(claims)) {
    const member = Object.hasOwn(USER_MEMBERS, claim) ? USER_MEMBERS[claim] : undefined;
    if (member) user[member] = value;
  }
  // The server writes these claims with these types (OpenID Connect Core §5.1); `sub` was required.
  return user as SignedInUser;
}
