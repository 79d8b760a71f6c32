import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScalekitClient } from '@scalekit-sdk/node';
import { manage, type Running, startGatewarden } from './gatewarden-process.ts';

/** A machine's token for the demo MCP server. */
async function machineToken(gatewarden: Running): Promise<string> {
  const { resourceId } = gatewarden.demo;
  const created = await manage(gatewarden, 'POST', `/resources/${resourceId}/clients`, {
    name: 'Machine',
    scopes: ['todo:read'],
  });
  const { client_id } = created['client'] as { client_id: string };
  const response = await fetch(`${gatewarden.environmentUrl}/resources/${resourceId}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id,
      client_secret: String(created['plain_secret']),
    }),
  });
  const body = (await response.json()) as { access_token?: string };
  assert.equal(response.status, 200, JSON.stringify(body));
  return String(body.access_token);
}

test("the vendor's unchanged SDK validates MCP tokens by issuer E, audience and scopes, and gets its own token (AS-16, AS-99, AS-115, AS-116, AS-149)", async (t) => {
  const gatewarden = await startGatewarden(t);
  const { environmentUrl, clientId, clientSecret, demo } = gatewarden;
  const scalekit = new ScalekitClient(environmentUrl, clientId, clientSecret);
  const token = await machineToken(gatewarden);

  for (const audience of [demo.mcpUrl, demo.resourceId]) {
    const claims = await scalekit.validateToken<{
      sub: string;
      scopes: string[];
      client_id: string;
    }>(token, { issuer: environmentUrl, audience: [audience], requiredScopes: ['todo:read'] });
    assert.deepEqual(claims.scopes, ['todo:read']);
    assert.equal(claims.sub, claims.client_id);
  }
  await assert.rejects(
    scalekit.validateToken(token, {
      issuer: environmentUrl,
      audience: [demo.resourceId],
      requiredScopes: ['todo:write'],
    }),
  );
  await assert.rejects(
    scalekit.validateToken(token, { issuer: environmentUrl, audience: ['res_123456789012345678'] }),
  );
  await assert.rejects(
    scalekit.validateToken(token, {
      issuer: `${environmentUrl}/resources/${demo.resourceId}`,
      audience: [demo.resourceId],
    }),
  );
  await assert.rejects(
    scalekit.validateToken(`${token.slice(0, -4)}AAAA`, {
      issuer: environmentUrl,
      audience: [demo.resourceId],
    }),
  );
  const parts = token.split('.');
  const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${parts[1]}.`;
  await assert.rejects(
    scalekit.validateToken(none, { issuer: environmentUrl, audience: [demo.resourceId] }),
  );

  const own = await scalekit.getClientAccessToken();
  assert.equal(typeof own, 'string');
  const claims = JSON.parse(Buffer.from(own.split('.')[1] ?? '', 'base64url').toString()) as {
    aud: unknown;
    client_id: string;
    sub: string;
  };
  assert.deepEqual([claims.client_id, claims.sub], [clientId, clientId]);
  assert.ok(
    !JSON.stringify(claims.aud).includes(demo.resourceId) &&
      !JSON.stringify(claims.aud).includes(demo.mcpUrl),
  );
});

test("the vendor's unchanged SDK manages permissions over gRPC after authenticating by itself (AS-149)", async (t) => {
  const { environmentUrl, clientId, clientSecret } = await startGatewarden(t);
  const scalekit = new ScalekitClient(environmentUrl, clientId, clientSecret);
  const created = await scalekit.permission.createPermission({
    name: 'notes:read',
    description: 'Read notes',
  } as never);
  assert.equal(created.permission?.name, 'notes:read');
  assert.equal(
    (await scalekit.permission.getPermission('notes:read')).permission?.description,
    'Read notes',
  );
  const listed = await scalekit.permission.listPermissions();
  assert.ok(listed.permissions.some(({ name }) => name === 'notes:read' || name === 'todo:read'));
  await assert.rejects(
    scalekit.permission.createPermission({ name: 'notes:read', description: '' } as never),
  );
  await assert.rejects(scalekit.permission.getPermission('nobody:knows'));
  await scalekit.permission.deletePermission('notes:read');
  await assert.rejects(scalekit.permission.getPermission('notes:read'));
});

test("the vendor's SDK with a wrong secret is refused at the token endpoint (AS-87)", async (t) => {
  const { environmentUrl, clientId } = await startGatewarden(t);
  const scalekit = new ScalekitClient(environmentUrl, clientId, 'test_wrong');
  await assert.rejects(scalekit.getClientAccessToken());
  await assert.rejects(scalekit.permission.listPermissions());
});
