import type { Client } from '@connectrpc/connect';
import {
  type DeleteCredentialResponse,
  type ListCredentialsResponse,
  type UpdateCredentialResponse,
  WebAuthnService,
} from '@gatewarden/contract/scalekit/v1/auth/webauthn_pb';
import { required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

/** Passkeys of people. Every method throws a `ScalekitServerException`. */
export class WebAuthnClient {
  readonly #rpc: Client<typeof WebAuthnService>;

  constructor(calls: Calls) {
    this.#rpc = calls(WebAuthnService);
  }

  async listCredentials(userId: string, call?: CallOptions): Promise<ListCredentialsResponse> {
    return await this.#rpc.listCredentials({ userId: required('userId', userId) }, call);
  }

  async updateCredential(
    credentialId: string,
    displayName: string,
    call?: CallOptions,
  ): Promise<UpdateCredentialResponse> {
    return await this.#rpc.updateCredential(
      {
        credentialId: required('credentialId', credentialId),
        displayName: required('displayName', displayName),
      },
      call,
    );
  }

  async deleteCredential(
    credentialId: string,
    call?: CallOptions,
  ): Promise<DeleteCredentialResponse> {
    return await this.#rpc.deleteCredential(
      { credentialId: required('credentialId', credentialId) },
      call,
    );
  }
}
