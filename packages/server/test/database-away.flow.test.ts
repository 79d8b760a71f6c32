import assert from 'node:assert/strict';
import { test } from 'node:test';
import { script, sql } from '../src/storage/db.ts';
import { openPostgres } from '../src/storage/postgres.ts';
import { testPostgres } from '../src/testing/databases.ts';
import { register, token } from '../src/testing/oauth-client.ts';
import { startTestGatewarden } from '../src/testing.ts';

test('a database that goes away gives 503 temporarily_unavailable, never a lost token, and recovers without a restart (AS-89)', async (t) => {
  const postgres = await testPostgres(t);
  const gatewarden = await startTestGatewarden(t, { database: postgres.database });
  const server = await gatewarden.mcpServer();
  const machine = await gatewarden.machine(server.id);
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  const ask = () =>
    token(issuer, {
      grant_type: 'client_credentials',
      client_id: machine.id,
      client_secret: machine.secret,
    });
  const refresh = () =>
    token(issuer, {
      grant_type: 'refresh_token',
      client_id: machine.id,
      client_secret: machine.secret,
      refresh_token: 'rt_unknown',
    });
  assert.equal((await ask()).status, 200);

  const name = new URL(postgres.url).pathname.slice(1);
  const admin = await openPostgres({
    url: postgres.url.replace(/\/[^/]*$/, '/postgres'),
    maxConnections: 1,
  });
  t.after(() => admin.close());
  await admin.rows(script(`alter database ${name} allow_connections false`));
  await admin.rows(
    sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`,
  );
  try {
    for (const answer of [await ask(), await refresh()]) {
      assert.deepEqual(
        [answer.status, answer.body['error']],
        [503, 'temporarily_unavailable'],
        JSON.stringify(answer.body),
      );
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
    }
    const registration = await register(gatewarden.url, server.id, {
      redirect_uris: ['http://127.0.0.1/cb'],
    });
    assert.deepEqual(
      [registration.status, registration.body['error']],
      [503, 'temporarily_unavailable'],
    );
    const page = await fetch(`${issuer}/oauth/authorize?client_id=m2m_123456789012345678`, {
      headers: { accept: 'text/html' },
    });
    assert.equal(page.status, 503);
    assert.match(await page.text(), /We can(’|'|&#39;)t sign you in right now/);
    const ready = await fetch(`${gatewarden.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /database/);
    assert.equal((await fetch(`${gatewarden.url}/healthz`)).status, 200);
  } finally {
    await admin.rows(script(`alter database ${name} allow_connections true`));
  }
  let answer = await ask();
  for (let tries = 0; answer.status !== 200 && tries < 50; tries += 1) {
    await new Promise((done) => setTimeout(done, 100));
    answer = await ask();
  }
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal((await fetch(`${gatewarden.url}/readyz`)).status, 200);
});
