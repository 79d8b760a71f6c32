import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as oauth from 'oauth4webapi';
import type { McpServerInput } from '../../mcp/manage-mcp-servers.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  redeem,
  type Site,
  startSite,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;

before(async () => {
  site = await startSite(atTheEnd);
});

async function issue(
  input: McpServerInput,
  scopes: readonly string[],
  nonce?: string,
  accessTokenLifetime?: number,
): Promise<{
  server: Awaited<ReturnType<typeof makeServer>>;
  clientId: string;
  answer: Answer;
  code: string;
  userId: string;
}> {
  const server = await makeServer(site, input);
  const client = await makeClient(site, {
    mcpServerId: server.id,
    settings: { accessTokenLifetime },
  });
  const code = await makeCode(site, {
    server,
    client,
    scopes,
    ...(nonce === undefined ? {} : { nonce }),
  });
  const answer = await redeem(server.issuer, code, client);
  assert.equal(answer.status, 200, answer.text);
  return { server, clientId: client.id, answer, code: code.code, userId: code.userId };
}
const access = (answer: Answer) => decodeJwt(String(answer.body['access_token']));
const id = (answer: Answer) => decodeJwt(String(answer.body['id_token']));
const now = () => Math.floor(site.ctx.now().getTime() / 1000);

test('an access token has exactly the claims of its kind, and nothing about the person (AS-115, AS-116, AS-119)', async () => {
  const { answer, server, clientId, userId } = await issue({}, [
    'todo:read',
    'openid',
    'email',
    'profile',
  ]);
  const claims = access(answer);
  assert.deepEqual(Object.keys(claims).sort(), [
    'aud',
    'auth_time',
    'azp',
    'client_id',
    'exp',
    'iat',
    'iss',
    'jti',
    'rvk',
    'scope',
    'scopes',
    'sid',
    'sub',
  ]);
  assert.deepEqual(
    [claims.iss, claims.sub, claims.aud, claims['client_id'], claims['azp']],
    [site.E, userId, [server.serverUrl, server.id], clientId, clientId],
  );
  assert.deepEqual(
    [claims['scope'], claims['scopes']],
    ['todo:read openid email profile', ['todo:read', 'openid', 'email', 'profile']],
  );
  assert.match(String(claims.jti), /^tkn_[0-9]{18,19}$/);
  const header = decodeProtectedHeader(String(answer.body['access_token']));
  assert.deepEqual([header.alg, header.typ], ['RS256', 'at+jwt']);
  assert.match(String(header.kid), /^snk_[0-9]+$/);
  const { rvk } = claims;
  assert.ok(Array.isArray(rvk));
  assert.equal(new Set(rvk).size, 3);
  for (const handle of rvk) assert.match(String(handle), /^[A-Za-z0-9_-]{22}$/);
});

test('aud is the Server URL exactly as registered, or the id alone (AS-37, AS-38)', async () => {
  const typed = await issue({ serverUrl: 'HTTPS://MCP.Example.com:443/Path/' }, ['todo:read']);
  assert.deepEqual(access(typed.answer).aud, [
    'HTTPS://MCP.Example.com:443/Path/',
    typed.server.id,
  ]);
  const bare = await issue({ serverUrl: '' }, ['todo:read']);
  assert.deepEqual(access(bare.answer).aud, [bare.server.id]);
});

test('iss, typ and iat follow the settings of the server (section 1.2, AS-115, AS-117)', async () => {
  const { answer, server } = await issue(
    { settings: { accessTokenIssuer: 'resource', accessTokenTyp: 'JWT', iatBackdate: 10 } },
    ['todo:read', 'openid'],
  );
  assert.equal(access(answer).iss, server.issuer);
  assert.equal(decodeProtectedHeader(String(answer.body['access_token'])).typ, 'JWT');
  const { iat = 0, exp = 0 } = access(answer);
  assert.ok(iat <= now() - 10 && iat >= now() - 12);
  assert.equal(exp - iat, 3600);
  const plain = access((await issue({}, [])).answer);
  assert.ok((plain.iat ?? 0) <= now(), 'never in the future');
  assert.equal('nbf' in plain, false);
});

test('expires_in and exp agree with the lifetime of the server, or of the client (AS-118)', async () => {
  for (const [input, override, expected] of [
    [{ accessTokenLifetime: 61 }, undefined, 61],
    [{}, 300, 300],
  ] as const) {
    const { answer } = await issue(input, ['todo:read'], undefined, override);
    const { iat = 0, exp = 0 } = access(answer);
    assert.deepEqual([answer.body['expires_in'], exp - iat], [expected, expected]);
  }
});

test('nothing granted is an empty scope, not a missing one (AS-45)', async () => {
  const { answer } = await issue({}, []);
  assert.deepEqual(
    [answer.body['scope'], access(answer)['scope'], access(answer)['scopes']],
    ['', '', []],
  );
});

test('the handles of one person or client differ from server to server (AS-124)', async () => {
  const servers = [await makeServer(site), await makeServer(site)];
  const [client] = [await makeClient(site, { mcpServerId: servers[0]?.id })];
  let userId: string | undefined;
  const handles: string[] = [];
  for (const server of servers) {
    const own = server === servers[0] ? client : await makeClient(site, { mcpServerId: server.id });
    assert.ok(own);
    const code = await makeCode(site, { server, client: own, ...(userId ? { userId } : {}) });
    userId = code.userId;
    handles.push(...(access(await redeem(server.issuer, code, own))['rvk'] as string[])); // three strings, see above
  }
  assert.equal(new Set(handles).size, 6);
});

test('an ID token names the issuer of the flow and hashes what came with it (AS-120, AS-145)', async () => {
  const { answer, server, clientId, code, userId } = await issue(
    {},
    ['todo:read', 'openid', 'profile', 'email'],
    'n-0S6',
  );
  const claims = id(answer);
  const half = (value: unknown) =>
    createHash('sha256').update(String(value)).digest().subarray(0, 16).toString('base64url');
  assert.deepEqual(
    [claims.iss, claims.aud, claims['azp'], claims.sub, claims['nonce']],
    [server.issuer, [clientId], clientId, userId, 'n-0S6'],
  );
  assert.deepEqual(
    [claims['at_hash'], claims['c_hash']],
    [half(answer.body['access_token']), half(code)],
  );
  assert.deepEqual([claims['name'], claims['email_verified']], ['Ada Lovelace', true]);
  for (const name of ['client_id', 'scope', 'scopes', 'jti', 'rvk'])
    assert.equal(name in claims, false, name);
  assert.equal(decodeProtectedHeader(String(answer.body['id_token'])).typ, 'JWT');
});

test('an ID token comes with openid only, and its profile with the scopes for it (AS-120)', async () => {
  assert.equal('id_token' in (await issue({}, ['todo:read'])).answer.body, false);
  const claims = id((await issue({}, ['openid'])).answer);
  for (const name of ['name', 'email', 'email_verified', 'nonce'])
    assert.equal(name in claims, false, name);
});

test('an application at E gets its client id as audience, an ID token whatever the scopes, and no handles (FSA-42, FSA-43)', async () => {
  const client = await makeClient(site, {
    kind: 'application',
    registration: 'admin',
    mcpServerId: undefined,
  });
  const answer = await redeem(
    site.E,
    await makeCode(site, { server: undefined, client, scopes: ['openid'] }),
    client,
  );
  assert.equal(answer.status, 200, answer.text);
  const claims = access(answer);
  assert.deepEqual(
    [claims.iss, claims.aud, 'rvk' in claims, answer.body['expires_in']],
    [site.E, [client.id], false, 300],
  );
  assert.deepEqual(
    [id(answer).iss, id(answer)['email_verified'], 'refresh_token' in answer.body],
    [site.E, true, false],
  );
});

test('a strict client library accepts discovery, code exchange, ID token and access token (RFC 8414, RFC 9068, AS-4)', async () => {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const server = await makeServer(site);
  const made = await makeClient(site, { mcpServerId: server.id });
  const client: oauth.Client = { client_id: made.id };
  const issuer = new URL(server.issuer);
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...insecure, algorithm }),
    );
    const code = await makeCode(site, {
      server,
      client: made,
      scopes: ['todo:read', 'openid'],
      nonce: 'n1',
    });
    const redirectUri = 'https://client.example/callback';
    const callback = oauth.validateAuthResponse(
      as,
      client,
      new URL(`${redirectUri}?code=${code.code}&iss=${encodeURIComponent(server.issuer)}`),
      oauth.expectNoState,
    );
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      oauth.None(),
      callback,
      redirectUri,
      code.verifier,
      insecure,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
      expectedNonce: 'n1',
      requireIdToken: true,
    });
    assert.equal(oauth.getValidatedIdTokenClaims(tokens)?.sub, code.userId);

    // A resource server trusts E, whose own document is valid.
    const E = new URL(site.E);
    const atE = await oauth.processDiscoveryResponse(
      E,
      await oauth.discoveryRequest(E, { ...insecure, algorithm: 'oauth2' }),
    );
    for (const audience of [server.id, server.serverUrl ?? '']) {
      const request = new Request('https://mcp.example.com/mcp', {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      });
      const verified = await oauth.validateJwtAccessToken(atE, request, audience, insecure);
      assert.deepEqual([verified.sub, verified.client_id], [code.userId, made.id]);
    }
    const asIdToken = new Request('https://mcp.example.com/mcp', {
      headers: { authorization: `Bearer ${tokens.id_token}` },
    });
    await assert.rejects(
      oauth.validateJwtAccessToken(atE, asIdToken, made.id, insecure),
      'an ID token is no access token (AS-145)',
    );
  }
});
