import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Database, sql } from '../../storage/db.ts';
import { testPostgres } from '../../testing/databases.ts';
import { makeClient, makeCode, makeServer, post, redeem, refresh, startSite } from './test-site.ts';

test('a code exchange and a refresh are two statements, a machine token too: nothing else may cost a round trip', async (t) => {
  const { database } = await testPostgres(t);
  let statements = 0;
  const counting: Database = {
    ...database,
    rows: (query) => {
      statements += 1;
      return database.rows(query);
    },
    transaction: (work) => {
      statements += 100;
      return database.transaction(work);
    },
  };
  const site = await startSite(t, { database: counting });
  const server = await makeServer(site);
  const client = await makeClient(site, { mcpServerId: server.id });
  const machine = await makeClient(site, {
    mcpServerId: server.id,
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
    scopes: ['todo:read'],
  });
  const asMachine = () =>
    post(`${server.issuer}/oauth/token`, {
      grant_type: 'client_credentials',
      client_id: machine.id,
      client_secret: machine.secret,
    });
  // Noted once a day; not on the path that is measured.
  await database.rows(sql`update client_secrets set last_used_at = ${site.ctx.now()}`);
  const warm = await redeem(server.issuer, await makeCode(site, { server, client }), client);
  await asMachine();
  const code = await makeCode(site, { server, client, scopes: ['todo:read', 'openid'] });

  const costOf = async (call: () => Promise<{ status: number }>) => {
    statements = 0;
    assert.equal((await call()).status, 200);
    return statements;
  };
  assert.equal(await costOf(() => redeem(server.issuer, code, client)), 2);
  assert.equal(await costOf(() => refresh(server.issuer, warm.body['refresh_token'], client)), 2);
  assert.equal(
    await costOf(() => refresh(server.issuer, warm.body['refresh_token'], client)),
    2,
    'an answer in the grace',
  );
  assert.equal(await costOf(asMachine), 2);
});
