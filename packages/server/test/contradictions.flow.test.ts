import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startTestGatewarden, token } from '../src/testing.ts';
import { managementToken } from './management-api.ts';
import { restApi, webhookReceiver } from './webhook-receiver.ts';

const gatewarden = await startTestGatewarden({ after });
const rest = await restApi(gatewarden);
const { body: acme } = await rest('POST', '/organizations', { display_name: 'Acme' });
const organization: string = acme.organization.id;

test('claims of an API key: versions before 20260716 add to them, that one and later ones replace them (contradiction: API key claim update)', async () => {
  const authorization = `Bearer ${await managementToken(gatewarden)}`;
  const claims = { env: 'a', team: 'b' };
  for (const [version, left] of [
    ['20260513', { env: 'x', team: 'b' }],
    ['20260727', { env: 'x' }],
  ] as const) {
    const made = await rest('POST', '/tokens', {
      organization_id: organization,
      custom_claims: claims,
    });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const answer = await fetch(`${gatewarden.origin}/api/v1/tokens:update`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', 'x-api-version': version },
      body: JSON.stringify({ token: made.body.token, custom_claims: { env: 'x' } }),
    });
    const changed = (await answer.json()) as { token_info: { custom_claims: object } };
    assert.deepEqual(changed.token_info.custom_claims, left, version);
  }
});

test('both names of the feature are taken, and dir_sync is answered (contradiction: organization feature name)', async () => {
  const path = `/organizations/${organization}/settings`;
  for (const [name, enabled] of [
    ['directory_sync', true],
    ['dir_sync', false],
    ['directory_sync', true],
  ] as const) {
    const { status, body } = await rest('PATCH', path, { features: [{ name, enabled }] });
    assert.equal(status, 200, JSON.stringify(body));
    const { features } = body.organization.settings;
    const switched = features.find((feature: { name: string }) => feature.name === 'dir_sync');
    assert.equal(switched.enabled ?? false, enabled);
    assert.ok(!JSON.stringify(body).includes('directory_sync'));
  }
});

test('whoever is invited is PENDING_INVITE, in upper case (contradiction: invite status)', async () => {
  const user = { email: 'invited@example.com' };
  const path = `/organizations/${organization}/users?send_invitation_email=true`;
  const { status, body } = await rest('POST', path, user);
  assert.equal(status, 201, JSON.stringify(body));
  assert.equal(body.user.memberships[0].membership_status, 'PENDING_INVITE');
});

test('a second role or permission of a name is 400 and not 409 (contradiction: duplicate role, permission)', async () => {
  for (const [path, thing] of [
    ['/permissions', { name: 'twice:read', description: 'Twice' }],
    ['/roles', { name: 'twice', display_name: 'Twice' }],
  ] as const) {
    assert.equal((await rest('POST', path, thing)).status, 201);
    const again = await rest('POST', path, thing);
    assert.deepEqual([again.status, again.body.code], [400, 3]);
  }
});

test('a code of a sign-in without pages lives 300 seconds unless asked otherwise (contradiction: passwordless default expiry)', async () => {
  const { status, body } = await rest('POST', '/passwordless/email/send', {
    email: 'ana@example.com',
    template: 'SIGNIN',
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.expires_in, 300);
});

function claimsOf(jwt: unknown): Record<string, unknown> {
  return JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString());
}

test('tokens have oid and org_id, scopes and scope (contradictions: org claim, scope claim)', async () => {
  const { body } = await rest('POST', `/organizations/${organization}/clients`, {
    name: 'Deploy',
    scopes: ['deploy:app', 'read:app'],
    audience: ['https://api.example.com'],
  });
  const answer = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: body.client.client_id,
    client_secret: body.plain_secret,
  });
  const claims = claimsOf(answer.body['access_token']);
  assert.deepEqual([claims['oid'], claims['org_id']], [organization, organization]);
  assert.deepEqual(
    [claims['scope'], claims['scopes']],
    ['deploy:app read:app', ['deploy:app', 'read:app']],
  );
});

test('the issuer of a token for an MCP server is the environment (contradiction: token issuer for MCP resources)', async () => {
  const server = await gatewarden.mcpServer();
  const { id, secret } = await gatewarden.machine(server.id);
  const answer = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
  });
  assert.equal(claimsOf(answer.body['access_token'])['iss'], gatewarden.url);
});

test('webhooks carry webhook-signature and never scalekit-signature (contradiction: webhook signature header)', async (t) => {
  const receiver = await webhookReceiver(t);
  const made = await rest('POST', '/webhooks/endpoints', { url: receiver.url });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  await rest('POST', '/organizations', { display_name: 'Globex' });
  const [request] = await receiver.waitFor(1);
  assert.match(String(request?.headers['webhook-signature']), /^v1,[A-Za-z0-9+/]{43}=$/);
  for (const name of ['webhook-id', 'webhook-timestamp']) assert.ok(request?.headers[name], name);
  assert.ok(Object.keys(request?.headers ?? {}).every((name) => !name.startsWith('scalekit')));
});

test('a role that nobody has counts no users and is no error (contradiction: role users count)', async () => {
  await rest('POST', '/roles', { name: 'unused', display_name: 'Unused' });
  const { status, body } = await rest('GET', '/roles/unused/users:count');
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(Number(body.count ?? 0), 0);
});
