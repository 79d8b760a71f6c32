import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { disablePerson } from '../../login/end-access.ts';
import { sql } from '../../storage/db.ts';
import { makeClient, makeServer } from '../token/test-site.ts';
import { connect, type FeedSite, feedOf, isRefused, startFeedSite } from './test-feed.ts';

const PEOPLE = 1000;

/** People with a grant at the first server, and every second of them with one at the other too. */
async function insertPeople(
  { ctx }: FeedSite,
  servers: readonly { readonly id: string; readonly issuer: string }[],
  clientId: string,
): Promise<string[]> {
  const [now, env] = [ctx.now(), ctx.environmentId];
  const people = await ctx.db.rows<{ id: string }>(sql`
    insert into users (environment_id, id, email, email_key, name, revocation_secret, created_at, updated_at)
    select ${env}, 'usr_' || (100000000000000000 + n), 'person' || n || '@example.com', 'person' || n || '@example.com', 'Person ' || n, sha256(('secret' || n)::bytea), ${now}::timestamptz, ${now}::timestamptz
      from generate_series(1, ${PEOPLE}) n returning id`);
  for (const [index, { id, issuer }] of servers.entries()) {
    await ctx.db.rows(sql`
      insert into grants (environment_id, id, flow_id, consent_id, user_id, client_id, mcp_server_id, session_id, browser_hash, issuer, redirect_uri, scopes, auth_method,
        authenticated_at, revocation_handle, created_at, absolute_expires_at, last_used_at)
      select ${env}, 'grt_' || (${100_000_000_000_000_000n + BigInt(index) * 10_000n}::bigint + n), 'flw_' || n, 'usrcnst_' || (100000000000000000 + n), 'usr_' || (100000000000000000 + n), ${clientId}, ${id},
        'ses_' || (100000000000000000 + n), sha256(n::text::bytea), ${issuer}, 'https://client.example/callback', array['todo:read'], 'none',
        ${now}::timestamptz, 'handle-of-' || ${index}::int || '-' || n, ${now}::timestamptz, ${new Date(now.getTime() + 86_400_000)}::timestamptz, ${now}::timestamptz
        from generate_series(1, ${PEOPLE}) n where ${index === 0}::boolean or n % 2 = 0`);
  }
  return people.map(({ id }) => id);
}

test('the feeds of an environment with a thousand disabled people name nobody and nothing that is known from elsewhere, and have nothing in common (RS-58, AS-124)', async (t) => {
  const site = await startFeedSite(t, { engine: 'postgres' });
  const [one, two] = [await makeServer(site), await makeServer(site)];
  const client = await makeClient(site, { mcpServerId: one.id });
  const mine = await connect(site, one, { client });
  const people = await insertPeople(site, [one, two], client.id);
  const left = [...people];
  const from = performance.now();
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop())
        assert.ok(await disablePerson(site.ctx, id));
    }),
  );
  t.diagnostic(`${PEOPLE} people were disabled in ${Math.round(performance.now() - from)} ms`);
  await new Promise((done) => setTimeout(done, 300));

  const [first, second] = [await feedOf(site, one.id), await feedOf(site, two.id)];
  assert.deepEqual([first.document.entries.length, first.document.seq], [PEOPLE, PEOPLE]);
  assert.deepEqual([second.document.entries.length, second.document.seq], [PEOPLE / 2, PEOPLE / 2]);
  const handles = first.document.entries.map(({ handle }) => handle ?? '');
  assert.equal(new Set(handles).size, PEOPLE);
  assert.ok(handles.every((handle) => /^[\w-]{22}$/.test(handle)));
  const elsewhere = new Set(second.document.entries.map(({ handle }) => handle));
  assert.ok(handles.every((handle) => !elsewhere.has(handle)));

  const known = await site.ctx.db.rows<{ value: string }>(sql`
    select unnest(array[id, email, name]) as value from users
    union select id from clients union select unnest(array[id, consent_id, session_id, flow_id, revocation_handle, user_id]) from grants
    union select id from consents union select id from sessions union select environment_id from users`);
  assert.ok(known.length > 6000);
  for (const { document } of [first, second]) {
    // The address of the feed itself names its server and is the verifier's own.
    const text = JSON.stringify({ ...document, aud: '' });
    for (const { value } of known)
      if (value !== '') assert.ok(!text.includes(value), `${value} is in the feed`);
    const members = new Set(document.entries.flatMap((entry) => Object.keys(entry)));
    assert.deepEqual([...members].sort(), ['handle', 'seq', 'until']);
  }
  assert.equal(isRefused(first.document, mine.access), false);
  const { rvk } = decodeJwt(mine.access);
  assert.ok(Array.isArray(rvk) && rvk.length <= 4);
});
