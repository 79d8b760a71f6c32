import type { JsonObject } from '@bufbuild/protobuf';
import { SessionService } from '@gatewarden/contract/scalekit/v1/sessions/sessions_pb';
import type { Step } from './management-api.ts';

const { method: s } = SessionService;

type Filter = {
  readonly status?: readonly string[];
  readonly start_time?: string;
  readonly end_time?: string;
};

/** The calls about sessions. */
export const sessionSteps = {
  get: (id: string): Step => ({
    method: s.getSession,
    input: { session_id: id },
    rest: ['GET', `/sessions/${encodeURIComponent(id)}`],
  }),
  list: (userId: string, params: JsonObject = {}, filter: Filter = {}): Step => ({
    method: s.getUserSessions,
    input: {
      user_id: userId,
      ...params,
      filter: { ...filter, status: [...(filter.status ?? [])] },
    },
    rest: ['GET', `/users/${encodeURIComponent(userId)}/sessions?${query(params, filter)}`],
  }),
  revoke: (id: string): Step => ({
    method: s.revokeSession,
    input: { session_id: id },
    rest: ['POST', `/sessions/${encodeURIComponent(id)}/revoke`],
  }),
  revokeAll: (userId: string): Step => ({
    method: s.revokeAllUserSessions,
    input: { user_id: userId },
    rest: ['POST', `/users/${encodeURIComponent(userId)}/sessions/revoke`],
  }),
};

function query(params: JsonObject, filter: Filter): URLSearchParams {
  const pairs = Object.entries(params).map(([name, value]) => [name, String(value)]);
  for (const [name, value] of Object.entries(filter))
    for (const one of [value].flat()) pairs.push([`filter.${name}`, String(one)]);
  return new URLSearchParams(pairs);
}
