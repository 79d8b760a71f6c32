export { ObjectType, Source } from '@gatewarden/contract/scalekit/v1/events/events_pb';
export { ConfigurationError } from '@gatewarden/resource-server';
export type { VerifierReason } from '@gatewarden/resource-server/verifier';
export type { PageOptions } from './arguments.ts';
export type { AuthorizationUrlOptions, LogoutUrlOptions } from './browser-urls.ts';
export type { CallOptions } from './calls.ts';
export type { OrganizationClientOptions } from './clients/m2m.ts';
export type {
  CreateOrganizationOptions,
  OrganizationSessionPolicyInput,
  OrganizationSettings,
} from './clients/organization.ts';
export type { SendPasswordlessOptions } from './clients/passwordless.ts';
export type { SessionListOptions } from './clients/session.ts';
export type { CreateTokenOptions, UpdateTokenOptions } from './clients/token.ts';
export type {
  CreateMembershipOptions,
  CreateUserRequest,
  MembershipOptions,
  UpdateUserRequest,
} from './clients/user.ts';
export {
  KeysUnavailableException,
  ScalekitException,
  ScalekitValidateTokenFailureException,
  type TokenRefusal,
  WebhookVerificationError,
} from './errors.ts';
export {
  Gatewarden,
  Gatewarden as Scalekit,
  Gatewarden as ScalekitClient,
  type GatewardenOptions,
  type IdpInitiatedLoginClaims,
} from './gatewarden.ts';
export { GrantType } from './grant-type.ts';
export type { OwnServices } from './own-services.ts';
export {
  ScalekitBadRequestException,
  ScalekitCancelledException,
  ScalekitConflictException,
  ScalekitForbiddenException,
  ScalekitGatewayTimeoutException,
  ScalekitInternalServerException,
  ScalekitNotFoundException,
  ScalekitNotImplementedException,
  ScalekitServerException,
  ScalekitServiceUnavailableException,
  ScalekitTooManyRequestsException,
  ScalekitUnauthorizedException,
  ScalekitUnknownException,
} from './server-errors.ts';
export type {
  AuthenticationOptions,
  AuthenticationResponse,
  IdTokenClaimIdentity,
  RefreshTokenResponse,
  SignedInUser as User,
} from './sign-in.ts';
export type { RawBody, RequestHeaders } from './signed-payload.ts';
export {
  type AccessTokenClaims,
  type TokenValidationOptions,
  validateToken,
} from './validate-token.ts';
