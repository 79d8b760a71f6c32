import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from '../../storage/db.ts';
import { migrate } from '../../storage/migrate.ts';
import { openPostgres } from '../../storage/postgres.ts';
import { startTestPostgres } from '../../testing/postgres-server.ts';
import {
  type Answer,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  refresh,
  startSite,
} from './test-site.ts';

function unavailable(answer: Answer): void {
  assert.deepEqual(
    [answer.status, answer.body['error']],
    [503, 'temporarily_unavailable'],
    answer.text,
  );
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9][0-9]*$/);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
}

test('a database that goes away costs nobody a token: 503, and everything works when it is back (AS-89)', async (t) => {
  const postgres = await startTestPostgres();
  t.after(() => postgres.stop());
  const database = await openPostgres({ url: postgres.url, connectTimeout: 1000 });
  t.after(() => database.close());
  await migrate(database);
  const site = await startSite(t, { database });
  const server = await makeServer(site);
  const client = await makeClient(site, { mcpServerId: server.id });
  const code = await makeCode(site, { server, client });
  const first = await redeem(server.issuer, await makeCode(site, { server, client }), client);
  const access = String(first.body['access_token']);

  // The test server confirms commits before they are on disk, and is about to be killed.
  await database.rows(sql`checkpoint`);
  await postgres.restart(async () => {
    unavailable(await redeem(server.issuer, code, client));
    unavailable(await refresh(server.issuer, first.body['refresh_token'], client));
    unavailable(
      await post(`${server.issuer}/oauth/revoke`, { token: access, client_id: client.id }),
    );
  });

  assert.equal((await redeem(server.issuer, code, client)).status, 200);
  const second = await refresh(server.issuer, first.body['refresh_token'], client);
  assert.equal(second.status, 200, second.text);

  await t.test(
    'keys that cannot be read are our trouble too, and use nothing up (AS-89)',
    async () => {
      const waiting = await makeCode(site, { server, client });
      const [key] = await database.rows<{ id: string; private_key: Uint8Array }>(
        sql`select id, private_key from signing_keys where state = 'current'`,
      );
      assert.ok(key);
      await database.rows(sql`update signing_keys set state = 'withdrawn' where id = ${key.id}`);
      site.clock.ahead += 15_000;
      unavailable(await redeem(server.issuer, waiting, client));
      unavailable(await refresh(server.issuer, second.body['refresh_token'], client));
      assert.equal((await fetch(`${site.E}/keys`)).status, 503);
      await database.rows(sql`update signing_keys set state = 'current' where id = ${key.id}`);
      assert.equal((await redeem(server.issuer, waiting, client)).status, 200);
      const third = await refresh(server.issuer, second.body['refresh_token'], client);
      assert.equal(third.status, 200);
      assert.equal(
        (await refresh(server.issuer, third.body['refresh_token'], client)).status,
        200,
        'it was a rotation and not an answer in the grace',
      );
    },
  );
});
