import type { Empty, Timestamp } from '@bufbuild/protobuf/wkt';
import { type Client, Code } from '@connectrpc/connect';
import {
  ApiTokenService,
  type CreateTokenResponse,
  type ListTokensResponse,
  type UpdateTokenResponse,
  type ValidateTokenResponse,
} from '@gatewarden/contract/scalekit/v1/tokens/tokens_pb';
import { given, type PageOptions, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';
import { ScalekitValidateTokenFailureException } from '../errors.ts';
import { ScalekitServerException } from '../server-errors.ts';

export type CreateTokenOptions = {
  readonly userId?: string;
  readonly customClaims?: Readonly<Record<string, string>>;
  /** When it ends. @default never */
  readonly expiry?: Timestamp;
  readonly description?: string;
};

export type UpdateTokenOptions = {
  /** Replaces all claims; none given leaves them. */
  readonly customClaims?: Readonly<Record<string, string>>;
  readonly description?: string;
};

/** Answers that speak of the token and not of the call. */
const ABOUT_TOKEN: ReadonlySet<Code> = new Set([
  Code.Unauthenticated,
  Code.NotFound,
  Code.InvalidArgument,
  Code.PermissionDenied,
]);

/** API keys of organizations and their people. Every method throws a `ScalekitServerException`. */
export class TokenClient {
  readonly #rpc: Client<typeof ApiTokenService>;

  constructor(calls: Calls) {
    this.#rpc = calls(ApiTokenService);
  }

  /** The key itself is in this answer and nowhere else. */
  async createToken(
    organizationId: string,
    options?: CreateTokenOptions,
    call?: CallOptions,
  ): Promise<CreateTokenResponse> {
    const { userId, customClaims, expiry, description } = options ?? {};
    return await this.#rpc.createToken(
      {
        token: {
          organizationId: required('organizationId', organizationId),
          ...(userId && { userId }),
          ...(customClaims && { customClaims: { ...customClaims } }),
          ...given({ expiry }),
          ...(description && { description }),
        },
      },
      call,
    );
  }

  /**
   * Whether a key that somebody presented is good, and whose it is.
   *
   * @throws {ScalekitValidateTokenFailureException} it is unknown, ended or revoked; `cause` is the server's answer
   */
  async validateToken(token: string, call?: CallOptions): Promise<ValidateTokenResponse> {
    try {
      return await this.#rpc.validateToken({ token: required('token', token) }, call);
    } catch (error) {
      if (error instanceof ScalekitServerException && ABOUT_TOKEN.has(error.grpcStatus))
        throw new ScalekitValidateTokenFailureException('not_active', error.message, {
          cause: error,
        });
      throw error;
    }
  }

  /** Ends a key, given as itself or by its id. */
  async invalidateToken(token: string, call?: CallOptions): Promise<Empty> {
    return await this.#rpc.invalidateToken({ token: required('token', token) }, call);
  }

  async listTokens(
    organizationId: string,
    options?: PageOptions & { readonly userId?: string },
    call?: CallOptions,
  ): Promise<ListTokensResponse> {
    const { userId, pageSize, pageToken } = options ?? {};
    return await this.#rpc.listTokens(
      {
        organizationId: required('organizationId', organizationId),
        ...(userId && { userId }),
        ...given({ pageSize }),
        ...(pageToken && { pageToken }),
      },
      call,
    );
  }

  async updateToken(
    token: string,
    options?: UpdateTokenOptions,
    call?: CallOptions,
  ): Promise<UpdateTokenResponse> {
    const { customClaims, description } = options ?? {};
    return await this.#rpc.updateToken(
      {
        token: required('token', token),
        ...(customClaims && { customClaims: { ...customClaims } }),
        ...given({ description }),
      },
      call,
    );
  }
}
