import { createHash, randomBytes } from 'node:crypto';
import type { ReferenceServer } from './good-server.ts';

type Sent = Readonly<Record<string, string>>;

/** A JSON-RPC message to the MCP endpoint, or to another path of its server. */
export async function post(
  at: ReferenceServer,
  headers: Sent = {},
  {
    body = rpc('initialize', { protocolVersion: '2025-11-25', capabilities: {} }),
    path = '/mcp',
  } = {},
): Promise<Response> {
  return await at.fetch(`${at.resourceOrigin}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body,
    redirect: 'manual',
  });
}

export function rpc(method: string, params: Record<string, unknown> = {}): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
}

export function call(tool: string): { body: string } {
  return { body: rpc('tools/call', { name: tool, arguments: {} }) };
}

export function challengeOf(response: Response): string {
  return response.headers.get('www-authenticate') ?? '';
}

/** The protected resource metadata as it is served, at the form with or without the endpoint's path. */
export async function resourceMetadata(at: ReferenceServer, suffix = '/mcp'): Promise<Response> {
  return await at.fetch(`${at.resourceOrigin}/.well-known/oauth-protected-resource${suffix}`);
}

export async function resourceDocument(
  at: ReferenceServer,
  suffix = '/mcp',
): Promise<Record<string, unknown>> {
  return Object(await (await resourceMetadata(at, suffix)).json());
}

export async function serverMetadata(at: ReferenceServer): Promise<Response> {
  const path = new URL(at.issuer).pathname;
  return await at.fetch(`${at.issuerOrigin}/.well-known/oauth-authorization-server${path}`);
}

export async function serverDocument(at: ReferenceServer): Promise<Record<string, unknown>> {
  return Object(await (await serverMetadata(at)).json());
}

export async function keySet(at: ReferenceServer): Promise<Record<string, unknown>[]> {
  const response = await at.fetch(`${at.issuer}/keys`, { redirect: 'manual' });
  if (response.status !== 200) return [];
  return Object(await response.json()).keys;
}

/** The list a metadata document holds under this name; empty when there is none. */
export function list(document: Record<string, unknown>, name: string): readonly unknown[] {
  const value = document[name];
  return Array.isArray(value) ? value : [];
}

const REDIRECT_URI = 'http://127.0.0.1:47110/callback';

export async function registerClient(at: ReferenceServer): Promise<string> {
  const response = await at.fetch(`${at.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [REDIRECT_URI], client_name: 'Probe' }),
  });
  return String(Object(await response.json()).client_id);
}

export type SignIn = {
  readonly clientId: string;
  /** The parameters that came back to the client. */
  readonly callback: URLSearchParams;
  /** Redeems the code; the same each time. */
  redeem(): Promise<Response>;
  refresh(token: string): Promise<Response>;
};

/** One authorization with PKCE, up to the code. */
export async function signIn(
  at: ReferenceServer,
  { scope = 'todo:read', resource = at.mcp } = {},
): Promise<SignIn> {
  const clientId = await registerClient(at);
  const verifier = randomBytes(48).toString('base64url');
  const url = new URL(`${at.issuer}/authorize`);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 'state-1',
    scope,
    resource,
  }).toString();
  const redirect = await at.fetch(url, { redirect: 'manual' });
  const callback = new URL(redirect.headers.get('location') ?? 'about:blank').searchParams;
  const send = (parameters: Sent): Promise<Response> =>
    at.fetch(`${at.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: clientId, resource, ...parameters }),
    });
  return {
    clientId,
    callback,
    redeem: () =>
      send({
        grant_type: 'authorization_code',
        code: callback.get('code') ?? '',
        redirect_uri: REDIRECT_URI,
        code_verifier: verifier,
      }),
    refresh: (token) => send({ grant_type: 'refresh_token', refresh_token: token }),
  };
}

/** A token from a whole sign-in. */
export async function accessToken(
  at: ReferenceServer,
  options: { scope?: string; resource?: string } = {},
): Promise<string> {
  const response = await (await signIn(at, options)).redeem();
  return String(Object(await response.json()).access_token);
}
