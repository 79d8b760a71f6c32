import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { vendorSite } from './vendor-site.ts';

type Json = Record<string, Record<string, string>> & Record<string, string>;

test("what an interceptor is sent passes the vendor's unchanged verifyInterceptorPayload, under the new secret and the one before, and no other body or secret does (contract: interceptors; FSA-86)", async (t) => {
  const { gatewarden, sdk } = await vendorSite(t, 'pglite');
  const got: { headers: Record<string, string>; body: string }[] = [];
  const app = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    got.push({ headers: request.headers as Record<string, string>, body });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ decision: 'ALLOW' }));
  });
  await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
  t.after(() => {
    app.closeAllConnections();
    app.close();
  });
  const { port } = app.address() as AddressInfo;

  const token = await sdk.generateClientToken(gatewarden.client.id, gatewarden.client.secret ?? '');
  const call = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const answer = await fetch(`${gatewarden.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, text);
    return JSON.parse(text) as Json;
  };
  const made = await call('POST', '/interceptors', {
    display_name: 'Claims',
    trigger_point: 'PRE_M2M_TOKEN_CREATION',
    api_url: `http://127.0.0.1:${port}/hook`,
    failure_policy: 'FAIL_CLOSED',
  });
  const id = made['interceptor']?.['id'];
  const rotate = async (): Promise<string> =>
    String((await call('POST', `/interceptors/${id}:rotate_secret`, {}))['secret']);
  const secrets = [await rotate(), await rotate()];
  await call('PATCH', `/interceptors/${id}:enable`);
  const { organization } = await sdk.organization.createOrganization('Acme');
  const { client, plainSecret } = await sdk.m2m.createOrganizationClient(organization?.id ?? '', {
    name: 'Robot',
    description: 'One that asks',
  });
  await sdk.generateClientToken(client?.clientId ?? '', plainSecret ?? '');

  const [sent] = got;
  assert.ok(sent && got.length === 1);
  for (const secret of secrets)
    assert.equal(sdk.verifyInterceptorPayload(secret, sent.headers, sent.body), true);
  const { interceptor_context: context, trigger_point: trigger } = JSON.parse(sent.body);
  assert.deepEqual([trigger, context.client_id], ['PRE_M2M_TOKEN_CREATION', client?.clientId]);
  const other = sent.body.replace('PRE_M2M', 'PRE_X2X');
  assert.throws(() => sdk.verifyInterceptorPayload(secrets[1] ?? '', sent.headers, other));
  const stranger = `whsec_${Buffer.alloc(32).toString('base64')}`;
  assert.throws(() => sdk.verifyInterceptorPayload(stranger, sent.headers, sent.body));
});
