import assert from 'node:assert/strict';
import { createClient } from '../src/clients/manage-clients.ts';
import { cookieName } from '../src/http/cookies.ts';
import { createMcpServer } from '../src/mcp/manage-mcp-servers.ts';
import { OPERATOR_COOKIE, startOperatorSession } from '../src/operators/operator-sessions.ts';
import type { OperatorRole } from '../src/operators/operators.store.ts';
import { createOperator } from '../src/operators/operators.ts';
import { createOrganization } from '../src/organizations/organizations.ts';
import { createPortalLink, keyHashOf } from '../src/portal/portal-links.ts';
import { PORTAL_COOKIE, startPortalSession } from '../src/portal/portal-sessions.ts';
import type { Ctx } from '../src/runtime/context.ts';
import { newId } from '../src/runtime/ids.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  sql,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { parseEmail } from '../src/users/email-address.ts';
import { provenUser } from '../src/users/users.ts';
import { managementToken } from './management-api.ts';

/** Headers with which somebody calls. */
export type Headers = Readonly<Record<string, string>>;

/** Headers of a call that a page of ours makes with its cookie. */
export function pageHeaders(gatewarden: TestGatewarden, kind: string, cookie: string): Headers {
  return {
    cookie,
    'gatewarden-caller': kind,
    origin: gatewarden.url,
    'sec-fetch-site': 'same-origin',
  };
}

/** A cookie of ours as a browser sends it. */
export function cookieOf(gatewarden: TestGatewarden, name: string, value: string): string {
  const { environmentId, issuer } = gatewarden.context();
  return `${cookieName({ environmentId, issuer }, name)}=${value}`;
}

function addressOf(email: string) {
  const address = parseEmail(email);
  assert.ok(address, email);
  return address;
}

/** A new operator of this role, signed in. */
export async function operator(
  gatewarden: TestGatewarden,
  role: OperatorRole,
  email = `${role}@example.com`,
): Promise<{ id: string; headers: Headers }> {
  const ctx = gatewarden.context();
  const outcome = await createOperator(ctx, { role, address: addressOf(email) });
  assert.equal(outcome.kind, 'written');
  const { id } = outcome.operator;
  const session = await startOperatorSession(ctx, id);
  assert.ok(session);
  const cookie = cookieOf(gatewarden, OPERATOR_COOKIE, session.cookie);
  return { id, headers: pageHeaders(gatewarden, 'operator', cookie) };
}

/** An organization with every feature switched on. */
export async function organization(
  gatewarden: TestGatewarden,
  displayName: string,
  ctx: Ctx = gatewarden.context(),
): Promise<string> {
  const outcome = await createOrganization(ctx, {
    displayName,
    externalId: undefined,
    slug: undefined,
    logoUrl: undefined,
    metadata: {},
    regionCode: 'US',
  });
  assert.equal(outcome.kind, 'written');
  const { id } = outcome.organization;
  await gatewarden.database.rows(sql`
    update organizations set settings = '{"features": {"sso": true, "dir_sync": true, "domain_verification": true}}'
     where environment_id = ${ctx.environmentId} and id = ${id}`);
  return id;
}

/** A portal of this organization, opened by a link for these features. */
export async function portal(
  gatewarden: TestGatewarden,
  organizationId: string,
  features: readonly string[] = [],
): Promise<{ linkId: string; headers: Headers }> {
  const ctx = gatewarden.context();
  const made = await createPortalLink(ctx, { organizationId, features });
  assert.equal(made.kind, 'created');
  const keyHash = keyHashOf(new URL(made.location).pathname.split('/').at(-1));
  assert.ok(keyHash);
  const opened = await startPortalSession(ctx, keyHash);
  assert.ok(opened);
  const cookie = cookieOf(gatewarden, PORTAL_COOKIE, opened.cookie);
  return { linkId: made.link.id, headers: pageHeaders(gatewarden, 'portal', cookie) };
}

export type Person = {
  readonly userId: string;
  readonly accessToken: string;
  readonly idToken: string;
  readonly headers: Headers;
};

/** Somebody who signed in on the hosted pages to give a client a token of an MCP server. */
export async function person(
  gatewarden: TestGatewarden,
  mcpServerId: string,
  email: string,
): Promise<Person> {
  const issuer = `${gatewarden.url}/resources/${mcpServerId}`;
  const redirectUri = 'http://127.0.0.1:7777/cb';
  const registered = await register(gatewarden.url, mcpServerId, {
    client_name: 'Test',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  const clientId = String(registered.body['client_id']);
  const { verifier, challenge } = pkce();
  const browser = cookieBrowser(gatewarden.url);
  const asked = { client_id: clientId, redirect_uri: redirectUri, code_challenge: challenge };
  const url = authorizeUrl(issuer, { ...asked, scope: 'openid todo:read' });
  const landing = await authorizeWith(browser, url, email);
  const { body } = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
  });
  const users = await gatewarden.database.rows<{ id: string }>(
    sql`select id from users where email_key = ${email}`,
  );
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  return {
    userId: users[0]?.id ?? '',
    accessToken: String(body['access_token']),
    idToken: String(body['id_token']),
    headers: pageHeaders(gatewarden, 'session', cookie),
  };
}

/** Makes somebody a member with these roles, and opens their sessions in the organization. */
export async function join(
  gatewarden: TestGatewarden,
  by: { userId: string; organizationId: string; roles: readonly string[] },
): Promise<void> {
  const { environmentId } = gatewarden.context();
  const { userId, organizationId, roles } = by;
  const now = gatewarden.clock.now();
  const { rows } = gatewarden.database;
  await rows(sql`
    insert into memberships (environment_id, organization_id, user_id, status, provisioning_method, created_at, updated_at)
    values (${environmentId}, ${organizationId}, ${userId}, 'ACTIVE', 'api', ${now}, ${now})`);
  await rows(sql`
    insert into membership_roles (environment_id, organization_id, user_id, role_id)
    select ${environmentId}, ${organizationId}, ${userId}, id from roles
     where environment_id = ${environmentId} and name = any(${roles}::text[])`);
  await rows(
    sql`update sessions set organization_id = ${organizationId} where user_id = ${userId}`,
  );
}

/** Things of another environment of the same deployment, which nothing serves. */
export async function elsewhere(
  gatewarden: TestGatewarden,
): Promise<{ organization: string; user: string; resource: string; client: string }> {
  const own = gatewarden.context();
  const environmentId = newId(own, 'env');
  const issuer = 'https://elsewhere.example.com';
  await gatewarden.database.rows(sql`
    insert into environments (id, url, display_name, kind, created_at)
    values (${environmentId}, ${issuer}, 'Elsewhere', 'DEVELOPMENT', ${own.now()})`);
  const ctx: Ctx = { ...own, environmentId, issuer };
  const server = await createMcpServer(ctx, { name: 'Elsewhere', scopes: [{ name: 'a:b' }] });
  assert.equal(server.kind, 'written');
  const client = await createClient(ctx, {
    kind: 'mcp',
    mcpServerId: server.server.id,
    name: 'Elsewhere',
    scopes: ['a:b'],
  });
  assert.equal(client.kind, 'created');
  return {
    organization: await organization(gatewarden, 'Elsewhere', ctx),
    user: (await provenUser(ctx, { ...addressOf('foreigner@example.com'), name: '' })).id,
    resource: server.server.id,
    client: client.client.id,
  };
}

/** Headers of every kind of caller, by the names that docs/contract.md has for them. */
export async function everyCaller(gatewarden: TestGatewarden) {
  const ctx = gatewarden.context();
  const own = await organization(gatewarden, 'Own');
  const { id: mcpServerId } = await gatewarden.mcpServer({
    serverUrl: 'https://mcp.example.com/mcp',
  });
  const member = await person(gatewarden, mcpServerId, 'member+sktest@example.com');
  const guest = await person(gatewarden, mcpServerId, 'guest+sktest@example.com');
  await join(gatewarden, { userId: member.userId, organizationId: own, roles: ['admin'] });
  await join(gatewarden, { userId: guest.userId, organizationId: own, roles: [] });
  const colleague = (await provenUser(ctx, { ...addressOf('colleague@example.com'), name: '' })).id;
  await join(gatewarden, { userId: colleague, organizationId: own, roles: ['member'] });
  const bearer = (value: string): Headers => ({ authorization: `Bearer ${value}` });
  const machine = async (input: Parameters<typeof createClient>[1], resource?: string) => {
    const made = await createClient(ctx, input);
    assert.ok(made.kind === 'created' && made.secret, JSON.stringify(made));
    const at = resource === undefined ? gatewarden.url : `${gatewarden.url}/resources/${resource}`;
    const answer = await token(at, {
      grant_type: 'client_credentials',
      client_id: made.client.id,
      client_secret: made.secret.plain,
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return { id: made.client.id, headers: bearer(String(answer.body['access_token'])) };
  };
  const shutOut = await machine({ kind: 'environment', name: 'Shut out', managementApi: true });
  await gatewarden.database.rows(
    sql`update clients set management_api = false where id = ${shutOut.id}`,
  );
  return {
    own: { organization: own, user: member.userId, colleague },
    other: {
      organization: await organization(gatewarden, 'Other'),
      user: guest.userId,
    },
    /** Good tokens that are not for this API. */
    tokens: {
      'a client that may not use the API': shutOut.headers,
      'a client of an organization': (
        await machine({ kind: 'organization', organizationId: own, name: 'Organization' })
      ).headers,
      'a client of an MCP server': (
        await machine({ kind: 'mcp', mcpServerId, name: 'M', scopes: ['todo:read'] }, mcpServerId)
      ).headers,
      "a person's access token": bearer(member.accessToken),
      "a person's ID token": bearer(member.idToken),
    },
    kinds: {
      none: {},
      client: bearer(await managementToken(gatewarden)),
      owner: (await operator(gatewarden, 'owner')).headers,
      admin: (await operator(gatewarden, 'admin')).headers,
      viewer: (await operator(gatewarden, 'viewer')).headers,
      member: member.headers,
      guest: guest.headers,
      portal: (await portal(gatewarden, own)).headers,
    },
  };
}
