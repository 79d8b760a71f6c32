import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type DescMethodUnary, fromJson, type JsonObject, toJson } from '@bufbuild/protobuf';
import { ConnectError, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import { McpServerSettingsService } from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ErrorInfoSchema } from '@gatewarden/contract/scalekit/v1/errdetails/errdetails_pb';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { type TestGatewarden, token } from '../src/testing.ts';

/** One management call, in JSON, as RPC and as REST: verb, path and body. */
export type Step = {
  readonly method: DescMethodUnary;
  readonly input: JsonObject;
  readonly rest: readonly [verb: string, path: string, body?: unknown];
};

/** What comes back, whichever protocol it went over. `code` is gRPC's: 0 is success. */
export type Answer = {
  readonly code: number;
  readonly body: JsonObject;
  readonly message: string;
  readonly errorCode: string;
  readonly fields: readonly string[];
};

export type Protocol = 'gRPC' | 'Connect' | 'REST';
export const protocols: readonly Protocol[] = ['gRPC', 'Connect', 'REST'];
/** Sends a step; the token is the management token unless another one, or none, is asked for. */
export type Api = (step: Step, authorization?: string | undefined) => Promise<Answer>;

/** A token for the management API. */
export async function managementToken(gatewarden: TestGatewarden): Promise<string> {
  const { id, secret } = gatewarden.client;
  const answer = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return String(answer.body['access_token']);
}

/** The management API of a server over one protocol, with a token of its environment client. */
export async function managementApi(
  t: TestContext,
  gatewarden: TestGatewarden,
  protocol: Protocol = 'REST',
): Promise<Api> {
  const own = `Bearer ${await managementToken(gatewarden)}`;
  const send =
    protocol === 'REST' ? overRest(gatewarden) : overRpc(transportOf(t, gatewarden, protocol));
  return async (step, ...rest) => await send(step, rest.length === 0 ? own : rest[0]);
}

function transportOf(
  t: TestContext,
  gatewarden: TestGatewarden,
  protocol: 'gRPC' | 'Connect',
): Transport {
  const baseUrl = gatewarden.origin;
  if (protocol === 'Connect')
    return createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false });
  const sessionManager = new Http2SessionManager(baseUrl);
  t.after(() => sessionManager.abort());
  return createGrpcTransport({ baseUrl, sessionManager });
}

type Send = (step: Step, authorization: string | undefined) => Promise<Answer>;

function overRpc(transport: Transport): Send {
  return async ({ method, input }, authorization) => {
    const headers = new Headers(authorization === undefined ? {} : { authorization });
    try {
      const request = fromJson(method.input, input);
      const { message } = await transport.unary(method, undefined, 20_000, headers, request);
      const body = toJson(method.output, message, { useProtoFieldName: true });
      return { code: 0, body: body as JsonObject, message: '', errorCode: '', fields: [] };
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      const [info] = error.findDetails(ErrorInfoSchema);
      assert.ok(info, 'every error has an ErrorInfo');
      const violations = info.validationErrorInfo?.fieldViolations ?? [];
      return {
        code: error.code,
        body: {},
        message: error.rawMessage,
        errorCode: info.errorCode,
        fields: violations.map(({ field }) => field),
      };
    }
  };
}

type RestError = {
  code: number;
  message: string;
  details: {
    error_code: string;
    validation_error_info?: { field_violations: { field: string }[] };
  }[];
};

function overRest(gatewarden: TestGatewarden): Send {
  return async ({ rest: [verb, path, body] }, authorization) => {
    const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
      method: verb,
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (response.ok)
      return { code: 0, body: answer as JsonObject, message: '', errorCode: '', fields: [] };
    const { code, message, details } = answer as RestError;
    const info = details[0];
    return {
      code,
      body: {},
      message,
      errorCode: info?.error_code ?? '',
      fields: (info?.validation_error_info?.field_violations ?? []).map(({ field }) => field),
    };
  };
}

/** The answer's body; a refusal fails the test. */
export function ok(answer: Answer): JsonObject {
  assert.equal(answer.code, 0, `${answer.errorCode} ${answer.message}`);
  return answer.body;
}

/** A member that is an object. */
export function member(body: JsonObject, name: string): JsonObject {
  const value = body[name];
  assert.ok(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    `${name} in ${JSON.stringify(body)}`,
  );
  return value;
}

/** A member that is a list of objects. */
export function members(body: JsonObject, name: string): JsonObject[] {
  const value = body[name] ?? [];
  assert.ok(Array.isArray(value), name);
  return value as JsonObject[];
}

const { method: c } = ClientService;
const { method: r } = RolesService;
const { method: s } = McpServerSettingsService;

function query(params: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(params).filter(([, value]) => value !== undefined);
  return pairs.length === 0
    ? ''
    : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}

/** The calls of the tests. */
export const steps = {
  createResource: (resource: JsonObject): Step => ({
    method: c.createResource,
    input: { resource: { resource_type: 'MCP_SERVER', ...resource } },
    rest: ['POST', '/resources', { resource_type: 'MCP_SERVER', ...resource }],
  }),
  getResource: (id: string): Step => ({
    method: c.getResource,
    input: { resource_id: id },
    rest: ['GET', `/resources/${id}`],
  }),
  listResources: (params: JsonObject = {}): Step => ({
    method: c.listResources,
    input: { resource_type: 'MCP_SERVER', ...params },
    rest: ['GET', `/resources${query({ resource_type: 'MCP_SERVER', ...params })}`],
  }),
  /** The mask names the members of the body, as the REST API does by itself. */
  updateResource: (id: string, resource: JsonObject): Step => ({
    method: c.updateResource,
    input: { resource_id: id, resource, update_mask: maskOf(resource) },
    rest: ['PATCH', `/resources/${id}`, resource],
  }),
  deleteResource: (id: string): Step => ({
    method: c.deleteResource,
    input: { resource_id: id },
    rest: ['DELETE', `/resources/${id}`],
  }),
  createClient: (id: string, client: JsonObject): Step => ({
    method: c.createResourceClient,
    input: { resource_id: id, client },
    rest: ['POST', `/resources/${id}/clients`, client],
  }),
  getClient: (id: string, clientId: string): Step => ({
    method: c.getResourceClient,
    input: { resource_id: id, client_id: clientId },
    rest: ['GET', `/resources/${id}/clients/${clientId}`],
  }),
  listClients: (id: string): Step => ({
    method: c.listResourceClients,
    input: { resource_id: id },
    rest: ['GET', `/resources/${id}/clients`],
  }),
  updateClient: (id: string, clientId: string, client: JsonObject): Step => ({
    method: c.updateResourceClient,
    input: { resource_id: id, client_id: clientId, client, update_mask: maskOf(client) },
    rest: ['PATCH', `/resources/${id}/clients/${clientId}`, client],
  }),
  deleteClient: (id: string, clientId: string): Step => ({
    method: c.deleteResourceClient,
    input: { resource_id: id, client_id: clientId },
    rest: ['DELETE', `/resources/${id}/clients/${clientId}`],
  }),
  createSecret: (clientId: string): Step => ({
    method: c.createClientSecret,
    input: { client_id: clientId },
    rest: ['POST', `/clients/${clientId}/secrets`],
  }),
  updateSecret: (clientId: string, secretId: string, secret: JsonObject): Step => ({
    method: c.updateClientSecret,
    input: { client_id: clientId, secret_id: secretId, secret },
    rest: ['PATCH', `/clients/${clientId}/secrets/${secretId}`, secret],
  }),
  deleteSecret: (clientId: string, secretId: string): Step => ({
    method: c.deleteClientSecret,
    input: { client_id: clientId, secret_id: secretId },
    rest: ['DELETE', `/clients/${clientId}/secrets/${secretId}`],
  }),
  listConsents: (id: string, params: JsonObject = {}): Step => ({
    method: c.listResourceUserConsents,
    input: { resource_id: id, ...params },
    rest: ['GET', `/user_consents${query({ resource_id: id, ...params })}`],
  }),
  revokeConsent: (clientId: string, consentId: string): Step => ({
    method: c.revokeUserConsent,
    input: { client_id: clientId, consent_id: consentId },
    rest: ['DELETE', `/clients/${clientId}/consents/${consentId}`],
  }),
  createPermission: (permission: JsonObject): Step => ({
    method: r.createPermission,
    input: { permission },
    rest: ['POST', '/permissions', permission],
  }),
  getPermission: (name: string): Step => ({
    method: r.getPermission,
    input: { permission_name: name },
    rest: ['GET', `/permissions/${name}`],
  }),
  updatePermission: (name: string, permission: JsonObject): Step => ({
    method: r.updatePermission,
    input: { permission_name: name, permission },
    rest: ['PUT', `/permissions/${name}`, permission],
  }),
  listPermissions: (params: JsonObject = {}): Step => ({
    method: r.listPermissions,
    input: params,
    rest: ['GET', `/permissions${query(params)}`],
  }),
  deletePermission: (name: string): Step => ({
    method: r.deletePermission,
    input: { permission_name: name },
    rest: ['DELETE', `/permissions/${name}`],
  }),
  getSettings: (id: string): Step => ({
    method: s.getMcpServerSettings,
    input: { resource_id: id },
    rest: ['GET', `/resources/${id}/settings`],
  }),
  updateSettings: (id: string, settings: JsonObject): Step => ({
    method: s.updateMcpServerSettings,
    input: { resource_id: id, settings },
    rest: ['PATCH', `/resources/${id}/settings`, settings],
  }),
};

/** FieldMask in JSON: lowerCamelCase, separated by commas. */
function maskOf(message: JsonObject): string {
  return Object.keys(message)
    .map((name) => name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()))
    .join(',');
}
