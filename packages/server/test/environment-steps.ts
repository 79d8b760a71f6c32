import { request } from 'node:http';
import type { JsonObject } from '@bufbuild/protobuf';
import { EnvironmentService } from '@gatewarden/contract/scalekit/v1/environments/environments_pb';
import type { Step } from './management-api.ts';

const { method: e } = EnvironmentService;

/** The calls about environments. */
export const environmentSteps = {
  create: (environment: JsonObject): Step => ({
    method: e.createEnvironment,
    input: { environment },
    rest: ['POST', '/environments', environment],
  }),
  getSession: (id: string): Step => ({
    method: e.getEnvironmentSessionSettings,
    input: { id },
    rest: ['GET', `/environments/${id}/session-settings`],
  }),
  createSession: (id: string, session_settings: JsonObject): Step => ({
    method: e.createEnvironmentSessionSettings,
    input: { id, session_settings },
    rest: ['POST', `/environments/${id}/session-settings`, session_settings],
  }),
  updateSession: (id: string, session_settings: JsonObject): Step => ({
    method: e.updateEnvironmentSessionSettings,
    input: { id, session_settings },
    rest: ['PATCH', `/environments/${id}/session-settings`, session_settings],
  }),
  getUsers: (id: string): Step => ({
    method: e.getEnvironmentUserManagement,
    input: { id },
    rest: ['GET', `/environments/${id}/settings/user-management`],
  }),
  createUsers: (id: string, user_management: JsonObject): Step => ({
    method: e.createEnvironmentUserManagement,
    input: { id, user_management },
    rest: ['POST', `/environments/${id}/settings/user-management`, user_management],
  }),
  updateUsers: (id: string, user_management: JsonObject): Step => ({
    method: e.updateEnvironmentUserManagement,
    input: { id, user_management },
    rest: ['PATCH', `/environments/${id}/settings/user-management`, user_management],
  }),
  getTestUser: (id: string): Step => ({
    method: e.getEnvironmentTestUser,
    input: { id },
    rest: ['GET', `/environments/${id}/settings/test-user`],
  }),
  updateTestUser: (id: string, test_user: JsonObject): Step => ({
    method: e.updateEnvironmentTestUser,
    input: { id, test_user },
    rest: ['PATCH', `/environments/${id}/settings/test-user`, { test_user }],
  }),
};

export type HostAnswer = {
  readonly status: number;
  readonly text: string;
  readonly body: JsonObject;
};

/** A request to a server under any host name: `fetch` would not send the header. */
export async function atHost(
  origin: string,
  host: string,
  path: string,
  sent: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly form?: Readonly<Record<string, string>>;
    readonly json?: unknown;
  } = {},
): Promise<HostAnswer> {
  const { form, json } = sent;
  const payload =
    form === undefined ? JSON.stringify(json) : new URLSearchParams({ ...form }).toString();
  const type = form === undefined ? 'application/json' : 'application/x-www-form-urlencoded';
  const { promise, resolve, reject } = Promise.withResolvers<HostAnswer>();
  const call = request(
    new URL(path, origin),
    {
      method: sent.method ?? (payload === undefined ? 'GET' : 'POST'),
      headers: {
        host,
        ...(payload === undefined
          ? {}
          : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }),
        ...sent.headers,
      },
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text, body: objectIn(text) });
      });
    },
  );
  call.on('error', reject);
  call.end(payload);
  return await promise;
}

function objectIn(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    // What is parsed is JSON.
    return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
  } catch {
    return {};
  }
}
