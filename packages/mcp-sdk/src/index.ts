export { KeysUnavailableError } from './errors.ts';
export { type AccessTokenVerifier, accessTokenVerifier, type VerifierErrors } from './verifier.ts';
