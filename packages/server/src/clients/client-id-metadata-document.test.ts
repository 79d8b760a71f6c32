import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { upsertConsent } from '../grants/consents.store.ts';
import { sql } from '../storage/db.ts';
import { JWT_BEARER } from './client-assertion.ts';
import { authenticateClient } from './client-authentication.ts';
import { resolveClient } from './clients.ts';
import { updateClient } from './manage-clients.ts';
import { at, outcome, post } from './test-authentication.ts';
import { documentSite, signer, testClients } from './test-clients.ts';

import { AUTHORIZE, descriptionOf, detailOf, documentOf, TOKEN } from './test-documents.ts';

test('the URL of a valid document is a public client, fetched once and remembered (AS-70, AS-75)', async (t) => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const site = await documentSite(t);
  const url = site.answer('/id', {
    body: documentOf(`${site.origin}/id`, {
      grant_types: ['authorization_code', 'refresh_token'],
      client_uri: 'https://client.example',
    }),
  });
  const found = await resolveClient(ctx, url, { mcpServer: server, ...AUTHORIZE });
  assert.equal(found.kind, 'found', detailOf(found));
  assert.ok(found.kind === 'found');
  const { client } = found;
  assert.deepEqual(
    [
      client.id,
      client.kind,
      client.registration,
      client.name,
      client.redirectUris,
      client.grantTypes,
      client.tokenEndpointAuthMethod,
      client.mcpServerId,
    ],
    [
      url,
      'mcp',
      'metadata-document',
      'Example',
      ['https://client.example/cb'],
      ['authorization_code', 'refresh_token'],
      'none',
      undefined,
    ],
  );
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: url }), at(ctx, server))),
    'none',
  );
  assert.deepEqual(site.requests, ['/id']);
});

test('each kind of bad URL is refused before anything is fetched, at both endpoints (AS-70)', async () => {
  const asked: string[] = [];
  const fetch = async (url: string) => {
    asked.push(url);
    return { kind: 'failed', reason: 'connection', detail: 'refused' } as const;
  };
  const { ctx } = await testClients({ fetch, config: { allowLoopbackClients: false } });
  const bad = [
    'https://client.example',
    'https://client.example/',
    'https://client.example/?a=b',
    'http://client.example/id',
    'https://client.example/id#f',
    'https://u:p@client.example/id',
    'https://client.example/a/../id',
    'https://client.example/./id',
    'https://client.example/%2e%2e/id',
    'https://93.184.216.34/id',
    'https://[2606:4700::1]/id',
    'https://client.example:8443/id',
    'https://localhost/id',
    'http://localhost:8080/id',
    'http://127.0.0.1/id',
    'HTTPS://client.example/id',
    'https://CLIENT.example/id',
    'ftp://client.example/id',
    'cursor://client/id',
    'https:client.example',
    `https://client.example/${'a'.repeat(1024)}`,
  ];
  for (const url of bad) {
    const resolution = await resolveClient(ctx, url, AUTHORIZE);
    assert.equal(resolution.kind, 'invalid-document', url);
    assert.match(
      await descriptionOf(ctx, url),
      /^401 invalid_client invalid_client_metadata_url/,
      url,
    );
  }
  assert.deepEqual(asked, []);
});

test('each violation of a document is refused in words at authorize and is 401 at token (AS-75, AS-76)', async (t) => {
  const { ctx, settings } = await testClients();
  await settings({ limits: { failedAuthenticationPerMinute: 1000 } });
  const site = await documentSite(t);
  const key = await signer();
  const violations: Record<string, unknown> = {
    'not-an-object': [],
    'a-string': '"text"',
    'no-json': '{',
    'other-id': documentOf('https://client.example/other'),
    'no-id': { ...documentOf(''), client_id: undefined },
    'no-name': documentOf(`${site.origin}/no-name`, { client_name: undefined }),
    'empty-name': documentOf(`${site.origin}/empty-name`, { client_name: ' \u200b ' }),
    'no-redirect': documentOf(`${site.origin}/no-redirect`, { redirect_uris: [] }),
    'redirect-list': documentOf(`${site.origin}/redirect-list`, {
      redirect_uris: 'https://client.example/cb',
    }),
    'http-redirect': documentOf(`${site.origin}/http-redirect`, {
      redirect_uris: ['http://client.example/cb'],
    }),
    'one-bad-redirect': documentOf(`${site.origin}/one-bad-redirect`, {
      redirect_uris: ['https://client.example/cb', 'javascript:alert(1)'],
    }),
    secret: documentOf(`${site.origin}/secret`, { client_secret: 'x' }),
    'secret-expiry': documentOf(`${site.origin}/secret-expiry`, { client_secret_expires_at: 0 }),
    basic: documentOf(`${site.origin}/basic`, {
      token_endpoint_auth_method: 'client_secret_basic',
    }),
    post: documentOf(`${site.origin}/post`, { token_endpoint_auth_method: 'client_secret_post' }),
    'other-method': documentOf(`${site.origin}/other-method`, {
      token_endpoint_auth_method: 'tls_client_auth',
    }),
    'jwt-without-keys': documentOf(`${site.origin}/jwt-without-keys`, {
      token_endpoint_auth_method: 'private_key_jwt',
    }),
    'two-key-members': documentOf(`${site.origin}/two-key-members`, {
      jwks: { keys: [key.jwk] },
      jwks_uri: `${site.origin}/jwks`,
    }),
    'private-key': documentOf(`${site.origin}/private-key`, {
      jwks: { keys: [{ ...key.jwk, d: 'AAAA' }] },
    }),
    'remote-http-keys': documentOf(`${site.origin}/remote-http-keys`, {
      jwks_uri: 'http://client.example/jwks',
    }),
  };
  for (const [name, body] of Object.entries(violations)) {
    const url = site.answer(`/${name}`, { body });
    const resolution = await resolveClient(ctx, url, AUTHORIZE);
    assert.equal(resolution.kind, 'invalid-document', name);
    assert.notEqual(detailOf(resolution), '', name);
    assert.match(
      await descriptionOf(ctx, url),
      /^401 invalid_client invalid_client_metadata_url/,
      name,
    );
  }
  const rows = await ctx.db.rows(
    sql`select 1 from client_documents where environment_id = ${ctx.environmentId}`,
  );
  assert.equal(rows.length, 0);
});

test('a document like ChatGPT’s may come with or without an assertion, but a bad one is refused, and one good one binds the client (AS-76)', async (t) => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const site = await documentSite(t);
  const key = await signer('chatgpt', 'RS256');
  site.answer('/jwks', { body: { keys: [key.jwk] } });
  const url = site.answer('/oauth/1/client.json', {
    body: documentOf(`${site.origin}/oauth/1/client.json`, {
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'],
      jwks_uri: `${site.origin}/jwks`,
    }),
  });
  const now = Math.floor(ctx.now().getTime() / 1000);
  const assertion = (extra: Record<string, unknown> = {}) =>
    key.sign({
      iss: url,
      sub: url,
      aud: `${ctx.issuer}/resources/${server.id}`,
      exp: now + 60,
      jti: randomUUID(),
      ...extra,
    });
  const present = async (jwt: string): Promise<string> =>
    outcome(
      authenticateClient(
        ctx,
        post({ client_id: url, client_assertion: jwt, client_assertion_type: JWT_BEARER }),
        at(ctx, server),
      ),
    );
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: url }), at(ctx, server))),
    'none',
  );
  assert.equal(
    await present(await assertion({ aud: 'https://evil.example' })),
    '401 invalid_client',
  );
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: url }), at(ctx, server))),
    'none',
  );
  assert.equal(await present(await assertion()), 'assertion');
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: url }), at(ctx, server))),
    '401 invalid_client',
  );
});

test('a document that lists only private_key_jwt needs the assertion, whatever it prefers; endpoint audiences are not for documents (AS-76, AS-93)', async (t) => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const site = await documentSite(t);
  const key = await signer();
  const now = Math.floor(ctx.now().getTime() / 1000);
  for (const extra of [
    { token_endpoint_auth_method: 'private_key_jwt' },
    {
      token_endpoint_auth_method: 'none',
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
    },
  ]) {
    const path = `/${randomUUID()}`;
    const url = site.answer(path, {
      body: documentOf(`${site.origin}${path}`, { ...extra, jwks: { keys: [key.jwk] } }),
    });
    assert.equal(
      await outcome(authenticateClient(ctx, post({ client_id: url }), at(ctx, server))),
      '401 invalid_client',
    );
    const present = async (aud: string): Promise<string> => {
      const jwt = await key.sign({ iss: url, sub: url, aud, exp: now + 60, jti: randomUUID() });
      return outcome(
        authenticateClient(
          ctx,
          post({ client_assertion: jwt, client_assertion_type: JWT_BEARER }),
          at(ctx, server),
        ),
      );
    };
    assert.equal(
      await present(`${ctx.issuer}/resources/${server.id}/oauth/token`),
      '401 invalid_client',
    );
    assert.equal(await present(ctx.issuer), 'assertion');
  }
});

test('changed redirect URIs, keys or name end remembered consents and leave an audit event; the same document again does not (AS-82, AS-131)', async (t) => {
  const clients = await testClients();
  const { ctx, events } = clients;
  const site = await documentSite(t);
  const url = `${site.origin}/id`;
  const consent = async (): Promise<void> => {
    await upsertConsent(ctx.db, {
      environmentId: ctx.environmentId,
      id: 'usrcnst_1',
      userId: 'usr_1',
      clientId: url,
      redirectUri: 'https://client.example/cb',
      scopes: [],
      clientDigest: new Uint8Array(1),
      remembered: true,
      now: ctx.now(),
    });
  };
  const remembered = async (): Promise<boolean> => {
    const rows = await ctx.db.rows<{ remembered: boolean }>(
      sql`select remembered from consents where environment_id = ${ctx.environmentId} and client_id = ${url}`,
    );
    return rows[0]?.remembered === true;
  };
  const digests = new Set<string>();
  const show = async (extra: Record<string, unknown>): Promise<boolean> => {
    site.answer('/id', { body: documentOf(url, extra) });
    clients.advance({ minutes: 61 });
    const found = await resolveClient(ctx, url, TOKEN);
    assert.ok(found.kind === 'found', detailOf(found));
    digests.add(Buffer.from(found.client.digest).toString('hex'));
    return await remembered();
  };
  await show({});
  await consent();
  assert.equal(await show({ logo_uri: 'https://client.example/logo.png' }), true);
  assert.equal(digests.size, 1);
  const changes = [
    { redirect_uris: ['https://client.example/cb', 'https://client.example/other'] },
    { jwks_uri: 'https://client.example/jwks' },
    { client_name: 'Another name' },
    {
      token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
      jwks_uri: 'https://client.example/jwks',
    },
  ];
  for (const [index, change] of changes.entries()) {
    assert.equal(await show(change), false, JSON.stringify(change));
    assert.equal((await events('client.document_changed')).length, index + 1);
    await consent();
  }
  assert.equal(digests.size, 5);
});

test('with metadata documents off, a URL is no client, and nothing is fetched (AS-83)', async (t) => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer({ metadataDocumentsEnabled: false });
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  assert.equal(
    (await resolveClient(ctx, url, { mcpServer: server, ...AUTHORIZE })).kind,
    'switched-off',
  );
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: url }), at(ctx, server))),
    '401 invalid_client',
  );
  assert.deepEqual(site.requests, []);
});

test('hosts on a block list, or missing on an allow list, are refused without a fetch (AS-80)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  const kind = async (server?: Awaited<ReturnType<typeof clients.mcpServer>>): Promise<string> =>
    (await resolveClient(ctx, url, { ...AUTHORIZE, mcpServer: server })).kind;
  assert.equal(
    await kind(await clients.mcpServer({ settings: { blockedClientHosts: ['localhost'] } })),
    'host-not-allowed',
  );
  assert.equal(
    await kind(await clients.mcpServer({ settings: { allowedClientHosts: ['.example.com'] } })),
    'host-not-allowed',
  );
  await clients.settings({ blockedClientHosts: ['localhost'] });
  assert.equal(await kind(), 'host-not-allowed');
  assert.deepEqual(site.requests, []);
  await clients.settings({ blockedClientHosts: [], allowedClientHosts: ['localhost'] });
  assert.equal(await kind(), 'found');
});

test('private-use schemes in a document follow the server’s own rule (AS-54, AS-75)', async (t) => {
  const { ctx, mcpServer } = await testClients();
  const site = await documentSite(t);
  const url = site.answer('/id', {
    body: documentOf(`${site.origin}/id`, { redirect_uris: ['acmechat://cb'] }),
  });
  const known = site.answer('/cursor', {
    body: documentOf(`${site.origin}/cursor`, {
      redirect_uris: ['cursor://anysphere.cursor-mcp/oauth/callback'],
    }),
  });
  const [strict, open, closed] = [
    await mcpServer(),
    await mcpServer({ settings: { privateUseSchemes: 'allow' } }),
    await mcpServer({ settings: { privateUseSchemes: 'deny' } }),
  ];
  const kinds = await Promise.all(
    [strict, open, closed].map(
      async (server) => (await resolveClient(ctx, url, { mcpServer: server, ...AUTHORIZE })).kind,
    ),
  );
  assert.deepEqual(kinds, ['invalid-document', 'found', 'invalid-document']);
  assert.equal(
    (await resolveClient(ctx, known, { mcpServer: strict, ...AUTHORIZE })).kind,
    'found',
  );
});

test('in production loopback documents are refused unless switched on for development (AS-71)', async (t) => {
  const { ctx } = await testClients({
    config: { allowLoopbackClients: false },
    kind: 'PRODUCTION',
  });
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'invalid-document');
  assert.deepEqual(site.requests, []);
});

test('a client that an administrator switched off stays off, whatever its document says (AS-80, AS-97)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  await resolveClient(ctx, url, AUTHORIZE);
  await updateClient(ctx, url, { enabled: false });
  assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'unknown');
  assert.equal(site.requests.length, 1);
  clients.advance({ minutes: 61 });
  // The token endpoint still finds who it is, to refuse what it holds; a document fetched anew switches nothing on.
  const found = await resolveClient(ctx, url, TOKEN);
  assert.equal(found.kind === 'found' && found.client.enabled, false);
  assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'unknown');
});
