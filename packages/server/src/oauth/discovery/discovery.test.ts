import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { rotateSigningKey } from '../../keys/signing-keys.ts';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { deleteMcpServer } from '../../mcp/mcp-servers.store.ts';
import { cleanUpAtTheEnd, makeServer, type Site, startSite } from '../token/test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site, {
    settings: { serviceDocumentation: 'https://docs.example.com' },
  });
});

const formsOf = (id: string): string[] => [
  `/.well-known/oauth-authorization-server/resources/${id}`,
  `/.well-known/openid-configuration/resources/${id}`,
  `/resources/${id}/.well-known/openid-configuration`,
  `/resources/${id}/.well-known/oauth-authorization-server`,
];
const FORMS_OF_E = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];

async function get(
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(`${site.E}${path}`, { redirect: 'manual', ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
async function document(path: string): Promise<Record<string, unknown>> {
  const { status, text } = await get(path);
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

test('one document at every address that clients build, with slash, query and HEAD (AS-1, AS-3)', async () => {
  for (const forms of [formsOf(server.id), FORMS_OF_E]) {
    const bodies = new Set<string>();
    for (const form of forms) {
      for (const variant of [form, `${form}/`, `${form}?x=1`, `${form}/?a`]) {
        const { status, headers, text } = await get(variant);
        assert.deepEqual([status, headers.get('content-type')], [200, 'application/json'], variant);
        bodies.add(text);
      }
      const head = await get(form, { method: 'HEAD' });
      assert.deepEqual(
        [head.status, head.text, head.headers.get('content-type')],
        [200, '', 'application/json'],
      );
    }
    assert.equal(bodies.size, 1);
  }
});

test('the document names its own issuer, character for character, and what is below it (AS-2, AS-4, AS-6)', async () => {
  const R = server.issuer;
  const metadata = await document(formsOf(server.id)[0] ?? '');
  const expected: Record<string, unknown> = {
    issuer: R,
    authorization_endpoint: `${R}/oauth/authorize`,
    token_endpoint: `${R}/oauth/token`,
    revocation_endpoint: `${R}/oauth/revoke`,
    introspection_endpoint: `${R}/oauth/introspect`,
    jwks_uri: `${site.E}/keys`,
    registration_endpoint: `${site.E}/api/v1/resources/${server.id}/clients:register`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ],
    token_endpoint_auth_signing_alg_values_supported: ['RS256', 'ES256', 'PS256', 'EdDSA'],
    scopes_supported: ['todo:read', 'todo:write', 'openid', 'profile', 'email', 'offline_access'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    service_documentation: 'https://docs.example.com',
    protected_resources: [server.serverUrl],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  };
  for (const [name, value] of Object.entries(expected))
    assert.deepEqual(metadata[name], value, name);
  assert.equal('userinfo_endpoint' in metadata, false);
  for (const [name, value] of Object.entries(metadata))
    assert.ok(value !== null && value !== '', name);
});

test("E's own document has no registration endpoint and names no MCP server (AS-2, AS-11)", async () => {
  const metadata = await document('/.well-known/openid-configuration');
  assert.deepEqual(
    [metadata['issuer'], metadata['token_endpoint'], metadata['userinfo_endpoint']],
    [site.E, `${site.E}/oauth/token`, `${site.E}/oauth/userinfo`],
  );
  for (const name of ['registration_endpoint', 'protected_resources', 'service_documentation'])
    assert.equal(name in metadata, false, name);
});

test('what does not exist is 404 JSON, so that clients go on to the next form (AS-1)', async () => {
  for (const id of ['res_1234567890123456789', 'res_x', 'x', '..%2f', 'res_1%00']) {
    for (const form of formsOf(id)) {
      const { status, headers, text } = await get(form, { headers: { accept: 'text/html' } });
      assert.equal(status, 404, form);
      assert.match(headers.get('content-type') ?? '', /^application\/json/);
      assert.equal(JSON.parse(text).error, 'not_found');
    }
  }
});

test('switches show at once here and within max-age elsewhere; the validator changes with them and only then (AS-9, AS-10)', async () => {
  const path = formsOf(server.id)[1] ?? '';
  const first = await get(path);
  const etag = first.headers.get('etag') ?? '';
  assert.match(
    first.headers.get('cache-control') ?? '',
    /^public, max-age=(6\d|[7-9]\d|1\d\d|2\d\d|300)$/,
  );
  assert.equal((await get(path)).headers.get('etag'), etag);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
    assert.equal((await get(path, { headers: { 'if-none-match': known } })).status, 304, known);
  assert.equal((await get(path, { headers: { 'if-none-match': '"other"' } })).status, 200);

  await changeMcpServer(site.ctx, server.id, {
    registrationEnabled: false,
    metadataDocumentsEnabled: false,
    settings: { userinfoForMcp: true },
  });
  const off = await document(path);
  assert.deepEqual(
    ['registration_endpoint' in off, off['client_id_metadata_document_supported']],
    [false, false],
  );
  assert.equal(off['userinfo_endpoint'], `${server.issuer}/oauth/userinfo`);
  assert.notEqual((await get(path)).headers.get('etag'), etag);
  await changeMcpServer(site.ctx, server.id, {
    registrationEnabled: true,
    metadataDocumentsEnabled: true,
    settings: { userinfoForMcp: false },
  });
  assert.equal((await get(path)).headers.get('etag'), etag);
});

test('a disabled or deleted server has no documents and no key aliases (AS-13)', async () => {
  const gone = await makeServer(site);
  const aliases = [`/resources/${gone.id}/keys`, `/resources/${gone.id}/.well-known/jwks`];
  for (const path of aliases) assert.equal((await get(path)).status, 200);
  await changeMcpServer(site.ctx, gone.id, { enabled: false });
  for (const path of [...formsOf(gone.id), ...aliases])
    assert.equal((await get(path)).status, 404, path);
  await changeMcpServer(site.ctx, gone.id, { enabled: true });
  assert.equal((await get(formsOf(gone.id)[0] ?? '')).status, 200);
  await deleteMcpServer(site.ctx.db, {
    environmentId: site.ctx.environmentId,
    id: gone.id,
    now: site.ctx.now(),
  });
  for (const path of [...formsOf(gone.id), ...aliases])
    assert.equal((await get(path)).status, 404, path);
});

test('forwarded headers change nothing (AS-5)', async () => {
  const path = formsOf(server.id)[0] ?? '';
  const plain = await get(path);
  const forged = await get(path, {
    headers: {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
    },
  });
  assert.equal(forged.text, plain.text);
});

test('the key set is one document everywhere: RSA, RS256, public members only, two keys in reserve (AS-14, AS-16, AS-19)', async () => {
  const paths = [
    '/keys',
    '/.well-known/jwks.json',
    `/resources/${server.id}/keys`,
    `/resources/${server.id}/.well-known/jwks`,
  ];
  const answers = await Promise.all(paths.map((path) => get(path)));
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1);
  const [first] = answers;
  const { keys } = JSON.parse(first?.text ?? '{}') as { keys: Record<string, unknown>[] };
  assert.ok(keys.length >= 3);
  for (const key of keys) {
    assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
    assert.deepEqual([key['kty'], key['use'], key['alg']], ['RSA', 'sig', 'RS256']);
  }
  assert.equal(new Set(keys.map(({ kid }) => kid)).size, keys.length);
  const maxAge = Number(
    /^public, max-age=(\d+)$/.exec(first?.headers.get('cache-control') ?? '')?.[1],
  );
  assert.ok(maxAge > 0 && maxAge <= 3600);
  const etag = first?.headers.get('etag') ?? '';
  assert.equal((await get('/keys', { headers: { 'if-none-match': etag } })).status, 304);
  await rotateSigningKey(site.ctx);
  assert.notEqual((await get('/keys')).headers.get('etag'), etag);
});

test('web pages of any origin may read documents and keys, preflight included (AS-136)', async () => {
  for (const path of [
    ...formsOf(server.id),
    ...FORMS_OF_E,
    '/keys',
    '/.well-known/jwks.json',
    `/resources/${server.id}/keys`,
    formsOf('res_x')[0] ?? '',
  ]) {
    const origin = { origin: 'https://inspector.example' };
    assert.equal(
      (await get(path, { headers: origin })).headers.get('access-control-allow-origin'),
      '*',
      path,
    );
    const preflight = await get(path, {
      method: 'OPTIONS',
      headers: {
        ...origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'mcp-protocol-version',
      },
    });
    assert.equal(preflight.status, 204, path);
    assert.match(
      preflight.headers.get('access-control-allow-headers') ?? '',
      /MCP-Protocol-Version/,
    );
    assert.equal(preflight.headers.get('access-control-allow-credentials'), null);
  }
});
