import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import {
  Client as Client2,
  StreamableHTTPClientTransport as Transport2,
  UnauthorizedError as Unauthorized2,
} from '@modelcontextprotocol/client';
import { UnauthorizedError as Unauthorized1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { manage, type Running, startGatewarden } from './gatewarden-process.ts';
import { type MemoryProvider, memoryProvider, type ProviderOptions } from './memory-provider.ts';
import { allowInBrowser, callbackServer, openBrowser, withoutBrowser } from './person.ts';

type Connected = {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
};

/** One major of the official SDK, reduced to what a test does with it. */
type Major = {
  name: string;
  /** Connects; rejects with UnauthorizedError when the person has to act. */
  connect(url: string, provider: MemoryProvider): Promise<Connected>;
  finish(url: string, provider: MemoryProvider, callback: URL): Promise<void>;
  isUnauthorized(error: unknown): boolean;
  /** Answers a scope challenge with a refresh, which can never widen a grant; applications on it drop the refresh token first. */
  refreshesInsteadOfSteppingUp: boolean;
};

const majors: readonly Major[] = [
  {
    name: '1.x',
    async connect(url, provider) {
      const client = new Client1({ name: 'conformance', version: '1.0.0' });
      await client.connect(
        new Transport1(new URL(url), { authProvider: provider as never }) as never,
      );
      return client as unknown as Connected;
    },
    finish: (url, provider, callback) =>
      new Transport1(new URL(url), { authProvider: provider as never }).finishAuth(
        callback.searchParams.get('code') ?? '',
      ),
    isUnauthorized: (error) => error instanceof Unauthorized1,
    refreshesInsteadOfSteppingUp: true,
  },
  {
    name: '2.x',
    async connect(url, provider) {
      const client = new Client2({ name: 'conformance', version: '1.0.0' });
      await client.connect(new Transport2(new URL(url), { authProvider: provider as never }));
      return client as unknown as Connected;
    },
    finish: (url, provider, callback) =>
      new Transport2(new URL(url), { authProvider: provider as never }).finishAuth(
        callback.searchParams,
      ),
    isUnauthorized: (error) => error instanceof Unauthorized2,
    refreshesInsteadOfSteppingUp: false,
  },
];

type Prepare = (
  t: { after(work: () => Promise<void>): void },
  gatewarden: Running,
  redirectUrl: string,
) => Promise<Partial<ProviderOptions>>;

/** The three ways in which a client gets its id. */
const registrations: readonly { name: string; prepare: Prepare; clientId: RegExp }[] = [
  { name: 'dynamic registration', prepare: async () => ({}), clientId: /^m2m_[0-9]+$/ },
  {
    name: 'a client ID metadata document',
    prepare: serveDocument,
    clientId: /^https:\/\/localhost:[0-9]+\/client\.json$/,
  },
  { name: 'a pre-registered client', prepare: preRegister, clientId: /^m2m_[0-9]+$/ },
];

/** A certificate for localhost that only this test trusts. */
let certificate: { folder: string; cert: string; key: string };
before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-certificate-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  certificate = { folder, cert, key };
});
after(() => rm(certificate.folder, { recursive: true, force: true }));

async function serveDocument(
  t: { after(work: () => Promise<void>): void },
  _gatewarden: Running,
  redirectUrl: string,
): Promise<Partial<ProviderOptions>> {
  const server = createServer(
    { cert: await readFile(certificate.cert), key: await readFile(certificate.key) },
    (request, response) => {
      const document = {
        client_id: `${origin()}${request.url}`,
        client_name: 'Conformance client',
        redirect_uris: [redirectUrl],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
    },
  );
  const origin = (): string => `https://localhost:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return { clientMetadataUrl: `${origin()}/client.json` };
}

async function preRegister(
  _t: unknown,
  gatewarden: Running,
  redirectUrl: string,
): Promise<Partial<ProviderOptions>> {
  const created = await manage(
    gatewarden,
    'POST',
    `/resources/${gatewarden.demo.resourceId}/clients`,
    { name: 'Conformance client', redirect_uris: [redirectUrl] },
  );
  const client = created['client'] as { client_id: string };
  const secret = created['plain_secret'];
  return {
    client: {
      client_id: client.client_id,
      ...(typeof secret === 'string' && secret !== '' ? { client_secret: secret } : {}),
    },
  };
}

function textOf(result: unknown): string {
  return JSON.stringify(result);
}

for (const major of majors) {
  for (const registration of registrations) {
    test(`the official MCP client ${major.name} gets from 401 to a tool call, refresh and a wider scope by ${registration.name} (AS-4, AS-46, AS-70, AS-106, RS-11, RS-39)`, {
      skip: withoutBrowser,
    }, async (t) => {
      const gatewarden = await startGatewarden(t, ['--memory', '--allow-loopback-clients'], {
        NODE_EXTRA_CA_CERTS: certificate.cert,
      });
      const { mcpUrl } = gatewarden.demo;
      const browser = await openBrowser(t);
      const page = await browser.newPage();
      const callbacks = await callbackServer(t);
      const provider = memoryProvider({
        redirectUrl: callbacks.url,
        ...(await registration.prepare(t, gatewarden, callbacks.url)),
      });
      const person = { email: 'ana@example.com', mailboxUrl: gatewarden.mailboxUrl };

      // 401, discovery, registration: the client wants the person.
      await assert.rejects(major.connect(mcpUrl, provider), (error) => major.isUnauthorized(error));
      assert.equal(provider.authorizations.length, 1);
      assert.match(
        String(
          provider.saved.client?.['client_id'] ??
            provider.authorizations[0]?.searchParams.get('client_id'),
        ),
        registration.clientId,
      );

      // Sign-in and consent in a real browser, back at the client's own port.
      const [, callback] = await Promise.all([
        allowInBrowser(page, provider.authorizations[0] ?? '', person),
        callbacks.next(),
      ]);
      assert.equal(callback.searchParams.get('state'), 'state-1');
      assert.equal(
        callback.searchParams.get('iss'),
        `${gatewarden.environmentUrl}/resources/${gatewarden.demo.resourceId}`,
      );
      await major.finish(mcpUrl, provider, callback);
      assert.match(String(provider.saved.tokens?.['scope']), /^todo:read( offline_access)?$/);

      // The tool runs with the token.
      const client = await major.connect(mcpUrl, provider);
      t.after(() => client.close());
      assert.match(textOf(await client.callTool({ name: 'list_todos', arguments: {} })), /content/);

      // A token that the server refuses is refreshed without the person.
      const refreshToken = provider.saved.tokens?.refresh_token;
      assert.ok(refreshToken);
      provider.saved.tokens = {
        ...(provider.saved.tokens ?? {}),
        access_token: 'expired.token.value',
        refresh_token: refreshToken,
      };
      const again = await major.connect(mcpUrl, provider);
      t.after(() => again.close());
      assert.match(textOf(await again.callTool({ name: 'list_todos', arguments: {} })), /content/);
      assert.notEqual(provider.saved.tokens?.refresh_token, refreshToken);
      assert.equal(provider.authorizations.length, 1);

      // A tool that needs more: step-up through the same browser, which is still signed in.
      if (major.refreshesInsteadOfSteppingUp)
        provider.saved.tokens = {
          access_token: provider.saved.tokens?.access_token ?? '',
          token_type: 'Bearer',
        };
      await assert.rejects(
        again.callTool({ name: 'add_todo', arguments: { title: 'Write the report' } }),
        (error) => major.isUnauthorized(error),
      );
      assert.equal(provider.authorizations.length, 2);
      const asked = new Set(provider.authorizations[1]?.searchParams.get('scope')?.split(' '));
      assert.ok(asked.has('todo:read') && asked.has('todo:write'), [...asked].join(' '));
      const [shown, second] = await Promise.all([
        allowInBrowser(page, provider.authorizations[1] ?? '', person),
        callbacks.next(),
      ]);
      assert.match(shown, /one more permission/);
      await major.finish(mcpUrl, provider, second);
      const wider = await major.connect(mcpUrl, provider);
      t.after(() => wider.close());
      assert.match(
        textOf(
          await wider.callTool({ name: 'add_todo', arguments: { title: 'Write the report' } }),
        ),
        /Write the report/,
      );
      assert.match(
        textOf(await wider.callTool({ name: 'list_todos', arguments: {} })),
        /Write the report/,
      );
    });
  }
}
