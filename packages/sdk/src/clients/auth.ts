import type { Client } from '@connectrpc/connect';
import {
  AuthService,
  type UpdateLoginUserDetailsResponse,
  type UserSchema,
} from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { type Fields, given, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';
import { ScalekitException } from '../errors.ts';

/** Sign-ins that the application itself carries out. Every method throws a `ScalekitServerException`. */
export class AuthClient {
  readonly #rpc: Client<typeof AuthService>;

  constructor(calls: Calls) {
    this.#rpc = calls(AuthService);
  }

  /** Says who signed in at the application, for a login request that sent the browser there. */
  async updateLoginUserDetails(
    connectionId: string,
    loginRequestId: string,
    user: Fields<typeof UserSchema>,
    call?: CallOptions,
  ): Promise<UpdateLoginUserDetailsResponse> {
    if (typeof user !== 'object' || user === null)
      throw new ScalekitException('user must be a valid object');
    return await this.#rpc.updateLoginUserDetails(
      {
        connectionId: required('connectionId', connectionId),
        loginRequestId: required('loginRequestId', loginRequestId),
        user: given(user),
      },
      call,
    );
  }
}
