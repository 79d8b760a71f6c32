export { ConfigurationError } from '@gatewarden/resource-server';
export type { VerifierReason } from '@gatewarden/resource-server/verifier';
export {
  KeysUnavailableException,
  ScalekitException,
  ScalekitValidateTokenFailureException,
} from './errors.ts';
export {
  Gatewarden,
  Gatewarden as Scalekit,
  Gatewarden as ScalekitClient,
  type GatewardenOptions,
} from './gatewarden.ts';
export {
  type AccessTokenClaims,
  type TokenValidationOptions,
  validateToken,
} from './validate-token.ts';
