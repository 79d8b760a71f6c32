import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { endGrantsOfUser, revokeConsent } from '../../grants/grants.ts';
import { sha256 as hash } from '../../runtime/hash.ts';
import { createSecrets } from '../../runtime/secrets.ts';
import { sql } from '../../storage/db.ts';
import { currentOf } from './refresh-ratchet.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  redeem,
  refresh,
  revocationsOf,
  SECRET_KEY,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let client: TestClient;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  client = await makeClient(site, { mcpServerId: server.id });
});

type Family = {
  readonly first: string;
  readonly userId: string;
  readonly consentId: string;
  readonly sessionId: string;
  readonly accessToken: string;
};

async function family(
  options: Partial<Parameters<typeof makeCode>[1]> & { method?: Record<string, string> } = {},
): Promise<Family> {
  const { method, ...rest } = options;
  const code = await makeCode(site, { server, client, ...rest });
  const answer = await redeem((rest.server ?? server).issuer, code, rest.client ?? client, {
    ...method,
    redirect_uri: undefined,
  });
  assert.equal(answer.status, 200, answer.text);
  return {
    ...code,
    first: String(answer.body['refresh_token']),
    accessToken: String(answer.body['access_token']),
  };
}

const next = async (
  token: string,
  ...rest: [Record<string, string>?, Record<string, string>?]
): Promise<string> => {
  const answer = await refresh(server.issuer, token, client, ...rest);
  assert.equal(answer.status, 200, answer.text);
  return String(answer.body['refresh_token']);
};
const refused = (answer: Answer, error = 'invalid_grant', status = 400) =>
  assert.deepEqual([answer.status, answer.body['error']], [status, error]);

test('confidential clients keep their token where the server says so, public ones never (AS-107)', async () => {
  const keeping = await makeServer(site, { settings: { rotateConfidential: false } });
  const confidential = await makeClient(site, {
    mcpServerId: keeping.id,
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const open = await makeClient(site, { mcpServerId: keeping.id });
  const secret = { client_secret: confidential.secret };
  const { first } = await family({ server: keeping, client: confidential, method: secret });
  assert.equal(
    (await refresh(keeping.issuer, first, confidential, secret)).body['refresh_token'],
    first,
  );
  assert.equal(
    (await refresh(keeping.issuer, first, confidential, secret)).body['refresh_token'],
    first,
  );
  const { first: start } = await family({ server: keeping, client: open });
  assert.notEqual((await refresh(keeping.issuer, start, open)).body['refresh_token'], start);
});

test('a refresh token is issued for the grant type, or only for offline_access where the server says so (AS-106)', async () => {
  const asking = await makeServer(site, { settings: { refreshPolicy: 'offline_access' } });
  const its = await makeClient(site, { mcpServerId: asking.id });
  const without = await redeem(
    asking.issuer,
    await makeCode(site, { server: asking, client: its, scopes: ['todo:read'] }),
    its,
  );
  assert.equal('refresh_token' in without.body, false);
  const withIt = await redeem(
    asking.issuer,
    await makeCode(site, { server: asking, client: its, scopes: ['todo:read', 'offline_access'] }),
    its,
  );
  assert.equal('refresh_token' in withIt.body, true);
  const once = await makeClient(site, {
    mcpServerId: server.id,
    grantTypes: ['authorization_code'],
  });
  const answer = await redeem(
    server.issuer,
    await makeCode(site, { server, client: once, scopes: ['offline_access'] }),
    once,
  );
  assert.equal('refresh_token' in answer.body, false);
  refused(await refresh(server.issuer, 'rt_x', once), 'unauthorized_client');
});

test('families end unused after the idle time, and in any case after the absolute time (AS-111)', async () => {
  const day = 86_400_000;
  const idle = await family();
  site.clock.ahead += 31 * day;
  refused(await refresh(server.issuer, idle.first, client));

  const native = await makeClient(site, {
    mcpServerId: server.id,
    redirectUris: ['http://127.0.0.1/cb'],
  });
  const { first } = await family({ client: native, redirectUri: 'http://127.0.0.1:1/cb' });
  let token: unknown = first;
  for (const days of [29, 29, 29]) {
    site.clock.ahead += days * day;
    const answer = await refresh(server.issuer, token, native);
    assert.equal(answer.status, 200, answer.text);
    token = answer.body['refresh_token'];
  }
  site.clock.ahead += 4 * day;
  refused(await refresh(server.issuer, token, native));
});

const endings: Record<string, (family: Family) => Promise<unknown>> = {
  'the consent was withdrawn': ({ consentId }) =>
    revokeConsent(site.ctx, { consentId, because: 'user' }),
  'the person was disabled': ({ userId }) =>
    site.ctx.db.rows(sql`update users set enabled = false where id = ${userId}`),
  'an administrator revoked the session': ({ sessionId }) =>
    site.ctx.db.rows(
      sql`update sessions set ended_at = now(), ended_because = 'revoked' where id = ${sessionId}`,
    ),
};
for (const [what, end] of Object.entries(endings)) {
  test(`refreshing fails when ${what}, for current and retired tokens (AS-114)`, async () => {
    const made = await family();
    const second = await next(made.first);
    await end(made);
    refused(await refresh(server.issuer, second, client));
    refused(await refresh(server.issuer, made.first, client));
  });
}

test('ending everything a person allowed revokes what was issued, and what is issued later lives (AS-114, AS-124)', async () => {
  const made = await family();
  await endGrantsOfUser(site.ctx, { userId: made.userId, because: 'disabled' });
  const revoked = (await revocationsOf(site, server.id)).map(({ value }) => value);
  const handles = (token: string) => decodeJwt(token)['rvk'] as string[]; // three strings, see access-token.test.ts
  assert.equal(
    handles(made.accessToken).some((handle) => revoked.includes(handle)),
    true,
  );
  const later = await family({ userId: made.userId });
  assert.equal(
    handles(later.accessToken).some((handle) => revoked.includes(handle)),
    false,
  );
});

test('database dump and operator key together lead to no live token (AS-108)', async () => {
  const { first } = await family();
  const second = await next(first);
  const third = await next(second);
  const rows = await site.ctx.db.rows<Record<string, unknown>>(
    sql`select t.*, g.* from refresh_tokens t join grants g on g.id = t.grant_id`,
  );
  const codes = await site.ctx.db.rows<Record<string, unknown>>(
    sql`select * from authorization_codes`,
  );
  const events = await site.ctx.db.rows<Record<string, unknown>>(sql`select * from events`);
  const salts = rows.flatMap((row) => (row['salt'] instanceof Uint8Array ? [row['salt']] : []));
  const hashes = new Set(
    rows.map((row) => Buffer.from(row['token_hash'] as Uint8Array).toString('hex')),
  ); // bytea
  const operator = createSecrets([SECRET_KEY], site.ctx.random);
  assert.ok(salts.length >= 2);

  /** Live tokens that follow from a value someone holds, directly or through the ratchet. */
  const reachable = (value: string): string[] => {
    const candidates = [
      value,
      ...salts.map(
        (salt) => currentOf({ secrets: operator }, value, [{ salt, keyId: operator.keyId }]) ?? '',
      ),
    ];
    return candidates.filter((candidate) => hashes.has(sha256Hex(candidate)));
  };
  const texts = (value: unknown): string[] => {
    if (value instanceof Uint8Array) {
      const bytes = Buffer.from(value);
      return ['hex', 'base64', 'base64url', 'latin1'].map((encoding) =>
        bytes.toString(encoding as BufferEncoding),
      ); // four of its names
    }
    return typeof value === 'string'
      ? [value]
      : [
          JSON.stringify(value, (_, inner) =>
            typeof inner === 'bigint' ? String(inner) : inner,
          ) ?? '',
        ];
  };
  const dump = [...rows, ...codes, ...events].flatMap((row) => Object.values(row)).flatMap(texts);
  const found = [...new Set(dump)].flatMap((text) => [
    ...reachable(text),
    ...reachable(`rt_${text}`),
  ]);
  assert.deepEqual(found, []);
  assert.deepEqual(
    reachable(first),
    [first, second],
    'the search itself works: a holder of the first token gets on',
  );
  assert.deepEqual(reachable(second), [second, third]);
});

function sha256Hex(text: string): string {
  return Buffer.from(hash(text)).toString('hex');
}
