import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startTestGatewarden, token } from '@gatewarden/server/testing';
import { pythonEnvironment } from './environment.ts';

/** What the vendor's library says of one request; a client that is not connected to anything is enough. */
const VERIFY = `
import json, sys
from scalekit import ScalekitClient
asked = json.load(sys.stdin)
client = ScalekitClient.__new__(ScalekitClient)
for secret, headers, body in asked:
    try:
        print(client.verify_webhook_payload(secret, headers, body))
    except Exception as error:
        print(type(error).__name__)
`;

type Received = { readonly headers: Record<string, string>; readonly body: string };

async function answersOf(
  command: string,
  asked: readonly (readonly [secret: string, headers: object, body: string])[],
): Promise<string[]> {
  const child = spawn(command, ['-c', VERIFY], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stdin.end(JSON.stringify(asked));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0);
  return said.trim().split('\n');
}

test("the vendor's unchanged Python SDK verifies what is delivered, with both secrets of a rotation, and nothing that was changed (FSA-83)", async (t) => {
  const python = await pythonEnvironment();
  if (python.kind === 'absent') return t.skip(python.reason);
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
      received.push({ headers: Object.fromEntries(headers), body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const gatewarden = await startTestGatewarden(t);
  const { id, secret: client_secret } = gatewarden.client;
  const grant = { grant_type: 'client_credentials', client_id: id, client_secret };
  const { body: granted } = await token(gatewarden.url, grant);
  const call = async (path: string, body: object) => {
    const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${granted['access_token']}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(body),
    });
    assert.ok(response.ok, path);
    // biome-ignore lint/suspicious/noExplicitAny: an answer of an API in a test
    return (await response.json()) as any;
  };
  const { port } = server.address() as AddressInfo; // it listens at a port
  const made = await call('/webhooks/endpoints', { url: `http://127.0.0.1:${port}/` });
  const rotated = await call(`/webhooks/endpoints/${made.endpoint.id}:rotate_secret`, {});
  await call('/organizations', { display_name: 'Ümlaut & Söhne 🚀' });
  for (let tries = 0; received.length === 0 && tries < 500; tries += 1) await pause(20);
  const [{ headers, body } = assert.fail('nothing was delivered')] = received;
  const answers = await answersOf(python.command, [
    [rotated.secret, headers, body],
    [made.secret, headers, body],
    [rotated.secret, headers, `${body} `],
    [rotated.secret, { ...headers, 'webhook-id': 'evt_100000000000000' }, body],
    [`whsec_${Buffer.alloc(32).toString('base64')}`, headers, body],
  ]);
  const refused = 'WebhookVerificationError';
  assert.deepEqual(answers, ['True', 'True', refused, refused, refused]);
});
