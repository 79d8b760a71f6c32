import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  type RevokeAllUserSessionsResponse,
  type RevokeSessionResponse,
  type SessionDetails,
  SessionService,
  type UserSessionDetails,
} from '@gatewarden/contract/scalekit/v1/sessions/sessions_pb';
import { given, type PageOptions, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

export type SessionListOptions = PageOptions & {
  readonly filter?: {
    readonly status?: readonly string[];
    readonly startTime?: Date;
    readonly endTime?: Date;
  };
};

/** Sessions of people in their browsers. Every method throws a `ScalekitServerException`. */
export class SessionClient {
  readonly #rpc: Client<typeof SessionService>;

  constructor(calls: Calls) {
    this.#rpc = calls(SessionService);
  }

  getSession(sessionId: string, call?: CallOptions): Promise<SessionDetails> {
    return this.#rpc.getSession({ sessionId }, call);
  }

  async getUserSessions(
    userId: string,
    options?: SessionListOptions,
    call?: CallOptions,
  ): Promise<UserSessionDetails> {
    const { filter, pageSize, pageToken } = options ?? {};
    return await this.#rpc.getUserSessions(
      {
        userId,
        ...given({ pageSize, pageToken }),
        ...(filter && {
          filter: {
            status: [...(filter.status ?? [])],
            ...(filter.startTime && { startTime: timestampFromDate(filter.startTime) }),
            ...(filter.endTime && { endTime: timestampFromDate(filter.endTime) }),
          },
        }),
      },
      call,
    );
  }

  /** Signs out one browser: the session and every refresh token of it end. */
  revokeSession(sessionId: string, call?: CallOptions): Promise<RevokeSessionResponse> {
    return this.#rpc.revokeSession({ sessionId }, call);
  }

  async revokeAllUserSessions(
    userId: string,
    call?: CallOptions,
  ): Promise<RevokeAllUserSessionsResponse> {
    return await this.#rpc.revokeAllUserSessions({ userId: required('userId', userId) }, call);
  }
}
