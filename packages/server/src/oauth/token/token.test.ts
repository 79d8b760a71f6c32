import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { RequestError } from '../../http/request-error.ts';
import { KeyStoreUnavailable } from '../../keys/signing-keys.ts';
import { SecretUnreadable } from '../../runtime/secrets.ts';
import { DatabaseUnavailable, sql } from '../../storage/db.ts';
import { oauthErrorFrom } from './answers.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  eventsOf,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let client: TestClient;
let endpoint: string;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  client = await makeClient(site, { mcpServerId: server.id });
  endpoint = `${server.issuer}/oauth/token`;
});

const refused = (answer: Answer, error: string, status = 400) => {
  assert.deepEqual([answer.status, answer.body['error']], [status, error], answer.text);
  assert.deepEqual(Object.keys(answer.body), ['error', 'error_description']);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
};

async function send(init: RequestInit, url = endpoint): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith('{') ? JSON.parse(text) : {},
  };
}

test('only a form is read: other types, parameters in the query and repeated ones are refused as JSON (AS-84, AS-85)', async () => {
  const form = 'application/x-www-form-urlencoded';
  refused(
    await send({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"grant_type":"refresh_token"}',
    }),
    'invalid_request',
  );
  refused(
    await send({
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'grant_type=refresh_token',
    }),
    'invalid_request',
  );
  refused(
    await send({
      method: 'POST',
      headers: { 'content-type': `${form}; charset=latin1` },
      body: 'grant_type=x',
    }),
    'invalid_request',
  );
  refused(
    await send({ method: 'POST', headers: { 'content-type': form }, body: 'grant_type=%zz' }),
    'invalid_request',
  );
  refused(
    await send(
      { method: 'POST', headers: { 'content-type': form }, body: '' },
      `${endpoint}?grant_type=refresh_token&client_id=${client.id}`,
    ),
    'invalid_request',
  );
  refused(
    await post(endpoint, {
      grant_type: ['refresh_token', 'refresh_token'],
      client_id: client.id,
      refresh_token: 'x',
    }),
    'invalid_request',
  );
  refused(
    await post(endpoint, {
      grant_type: 'refresh_token',
      client_id: [client.id, client.id],
      refresh_token: 'x',
    }),
    'invalid_request',
  );
  refused(
    await post(endpoint, { grant_type: 'authorization_code', client_id: client.id }),
    'invalid_request',
  );
  refused(
    await post(endpoint, { grant_type: 'refresh_token', client_id: client.id }),
    'invalid_request',
  );
});

test('too large a body is refused as JSON (AS-85)', async () => {
  const answer = await post(endpoint, { grant_type: 'x'.repeat(70_000) });
  assert.deepEqual([answer.status, answer.body['error']], [413, 'invalid_request']);
});

test('another method is 405 with Allow: POST, and never a page (AS-84, AS-85)', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const answer = await send({ method, headers: { accept: 'text/html' } });
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST']);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  }
});

test('an unknown client is 401 invalid_client, with a challenge when it used the header (AS-86, AS-87)', async () => {
  const fields = { grant_type: 'refresh_token', refresh_token: 'x' };
  refused(
    await post(endpoint, { ...fields, client_id: 'm2m_1234567890123456789' }),
    'invalid_client',
    401,
  );
  refused(await post(endpoint, { ...fields, client_id: 'nonsense' }), 'invalid_client', 401);
  const answer = await post(endpoint, fields, {
    authorization: `Basic ${btoa('m2m_1234567890123456789:x')}`,
  });
  refused(answer, 'invalid_client', 401);
  assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic/);
});

test('an unknown grant is unsupported, a grant the client may not use unauthorized (AS-88)', async () => {
  const once = await makeClient(site, {
    mcpServerId: server.id,
    grantTypes: ['authorization_code'],
  });
  const machine = await makeClient(site, {
    mcpServerId: server.id,
    registration: 'admin',
    redirectUris: [],
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const environment = await makeClient(site, {
    mcpServerId: undefined,
    kind: 'environment',
    registration: 'admin',
    redirectUris: [],
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_post',
    managementApi: true,
  });
  const grants = ['authorization_code', 'refresh_token', 'client_credentials', 'password'];
  const table: readonly (readonly [
    string,
    TestClient,
    Record<string, string>,
    readonly string[],
  ])[] = [
    [endpoint, client, {}, ['', '', 'unauthorized_client', 'unsupported_grant_type']],
    [
      endpoint,
      once,
      {},
      ['', 'unauthorized_client', 'unauthorized_client', 'unsupported_grant_type'],
    ],
    [
      endpoint,
      machine,
      { client_secret: machine.secret },
      ['unauthorized_client', 'unauthorized_client', '', 'unsupported_grant_type'],
    ],
    [
      `${site.E}/oauth/token`,
      environment,
      { client_secret: environment.secret },
      ['unauthorized_client', 'unauthorized_client', '', 'unsupported_grant_type'],
    ],
  ];
  for (const [url, who, credentials, expected] of table) {
    for (const [index, grantType] of grants.entries()) {
      const answer = await post(url, {
        grant_type: grantType,
        client_id: who.id,
        ...credentials,
        code: 'x',
        refresh_token: 'x',
        code_verifier: 'x',
      });
      const code = expected[index] ?? '';
      if (code !== '') refused(answer, code);
      else assert.notEqual(answer.body['error'], 'unauthorized_client');
    }
  }
});

test('the answer carries no cookie and reads none; web pages may call it, errors included (AS-136)', async () => {
  const code = await makeCode(site, { server, client });
  const answer = await redeem(server.issuer, code, client, {});
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.equal(answer.headers.get('access-control-allow-credentials'), null);
  assert.equal(answer.headers.get('set-cookie'), null);
  const preflight = await send({
    method: 'OPTIONS',
    headers: {
      origin: 'https://inspector.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'mcp-protocol-version',
    },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /MCP-Protocol-Version/);
});

test('introspection has no CORS (AS-137)', async () => {
  const answer = await send(
    {
      method: 'OPTIONS',
      headers: { origin: 'https://x.example', 'access-control-request-method': 'POST' },
    },
    `${server.issuer}/oauth/introspect`,
  );
  assert.equal(answer.headers.get('access-control-allow-origin'), null);
  assert.notEqual(answer.status, 204);
});

test('a refusal of a client that is not known is recorded with what it called itself (AS-140)', async () => {
  await post(endpoint, {
    grant_type: 'refresh_token',
    refresh_token: 'x',
    client_id: 'm2m_1111111111111111111',
  });
  const event = (await eventsOf(site, 'token.refused')).at(-1);
  assert.deepEqual(
    [event?.client_id, event?.reason, event?.outcome],
    ['m2m_1111111111111111111', 'invalid_client', 'failure'],
  );
});

test('a network that only guesses runs into 429 and fills no timeline; its good requests and other networks are not touched (AS-139, denial of service)', async () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });
  const guess = (address: string) =>
    post(
      endpoint,
      { grant_type: 'refresh_token', refresh_token: `rt_${'x'.repeat(43)}`, client_id: client.id },
      from(address),
    );
  const before = (await eventsOf(site, 'token.refused')).length;
  const seen: number[] = [];
  for (let round = 0; round < 31; round += 1)
    seen.push(
      ...(await Promise.all(Array.from({ length: 10 }, () => guess('203.0.113.66')))).map(
        ({ status }) => status,
      ),
    );
  assert.deepEqual(
    [
      seen.filter((status) => status === 400).length,
      seen.filter((status) => status === 429).length,
    ],
    [300, 10],
  );
  assert.equal((await eventsOf(site, 'token.refused')).length, before + 300);
  const limited = await guess('203.0.113.66');
  refused(limited, 'temporarily_unavailable', 429);
  assert.ok(Number(limited.headers.get('retry-after')) > 0);
  refused(await guess('203.0.113.67'), 'invalid_grant');
  const code = await makeCode(site, { server, client });
  const good = await post(
    endpoint,
    {
      grant_type: 'authorization_code',
      code: code.code,
      code_verifier: code.verifier,
      client_id: client.id,
    },
    from('203.0.113.66'),
  );
  assert.equal(good.status, 200, good.text);
});

test('a secret, token or code sent in the place of the client id or of the secret is in no event (AS-121)', async () => {
  const stray = `gws_${randomBytes(32).toString('base64url')}`;
  const basic = (text: string) => ({
    authorization: `Basic ${Buffer.from(text).toString('base64')}`,
  });
  const fields = { grant_type: 'refresh_token', refresh_token: stray };
  await post(endpoint, { ...fields, client_id: stray });
  await post(endpoint, fields, basic(`${stray}:m2m_1111111111111111111`));
  await post(endpoint, fields, basic(`m2m_1111111111111111111:${stray}`));
  await post(endpoint, { ...fields, client_id: `https://user:${stray}@client.example/id` });
  await post(endpoint, { ...fields, scope: stray, code: stray, code_verifier: stray });
  const [events] = await site.ctx.db.rows<{ all: string }>(
    sql`select json_agg(e)::text as all from events e where environment_id = ${site.ctx.environmentId}`,
  );
  assert.match(events?.all ?? '', /not a client id/);
  assert.equal(events?.all.includes(stray), false);
});

test('trouble of our own is 503 temporarily_unavailable with Retry-After, a bug is not (AS-89)', () => {
  const row = { table: 'signing_keys', environmentId: 'env_1', id: 'snk_1' };
  for (const error of [
    new DatabaseUnavailable('connection refused'),
    new KeyStoreUnavailable('no key'),
    new SecretUnreadable(row),
  ]) {
    const answer = oauthErrorFrom(error);
    assert.deepEqual(
      [answer?.status, answer?.code, answer?.headers['retry-after']],
      [503, 'temporarily_unavailable', '5'],
    );
    assert.equal(answer?.description.includes('connection refused'), false);
  }
  assert.equal(oauthErrorFrom(new RequestError(413, 'too large'))?.status, 413);
  assert.equal(oauthErrorFrom(new TypeError('x is not a function')), undefined);
});
