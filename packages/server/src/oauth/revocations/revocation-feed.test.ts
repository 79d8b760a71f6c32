import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';
import { revokeToken } from '../../grants/revocations.store.ts';
import { DatabaseUnavailable, sql } from '../../storage/db.ts';
import { type Engine, engines, testPglite } from '../../testing/databases.ts';
import { makeServer } from '../token/test-site.ts';
import { connect, type FeedSite, feedOf, startFeedSite } from './test-feed.ts';

type Server = Awaited<ReturnType<typeof makeServer>>;

async function start(
  t: Parameters<typeof startFeedSite>[0],
  engine: Engine = 'pglite',
): Promise<{ site: FeedSite; server: Server; revoke: (jti: string) => Promise<void> }> {
  const site = await startFeedSite(t, { engine });
  const server = await makeServer(site);
  return { site, server, revoke: (jti) => revokeAt(site, server.id, jti) };
}

async function revokeAt({ ctx }: FeedSite, mcpServerId: string, jti: string): Promise<void> {
  const now = ctx.now();
  const until = new Date(now.getTime() + 3_600_000);
  await revokeToken(ctx.db, { environmentId: ctx.environmentId, mcpServerId, jti, until, now });
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => setTimeout(done, milliseconds));

for (const engine of engines) {
  test(`the feed is a signed document of everything that matters, and of what is new after a cursor (AS-124) (${engine})`, async (t) => {
    const { site, server, revoke } = await start(t, engine);
    const empty = await feedOf(site, server.id);
    assert.deepEqual(
      [empty.document.seq, empty.document.since, empty.document.entries],
      [0, 0, []],
    );
    assert.equal(empty.headers.get('cache-control'), 'public, max-age=2');
    assert.match(empty.document.epoch, /^[\w-]{10,64}$/);

    await revoke('tkn_1');
    await pause(250);
    const first = await feedOf(site, server.id);
    assert.equal(first.document.epoch, empty.document.epoch);
    assert.deepEqual(
      first.document.entries.map(({ seq, jti }) => [seq, jti]),
      [[1, 'tkn_1']],
    );
    assert.equal(
      Math.abs((first.document.entries[0]?.until ?? 0) - first.document.iat - 3600) < 4,
      true,
    );

    await revoke('tkn_2');
    await pause(250);
    const next = await feedOf(site, server.id, `?after=${first.cursor}`);
    assert.deepEqual(
      [next.document.since, next.document.entries.map(({ jti }) => jti)],
      [1, ['tkn_2']],
    );
    const nothing = await feedOf(site, server.id, `?after=${next.cursor}`);
    assert.deepEqual(
      [nothing.document.since, nothing.document.seq, nothing.document.entries],
      [2, 2, []],
    );
    for (const odd of [
      'after=nonsense',
      `after=other.1`,
      `after=${first.document.epoch}.99`,
      `after=${first.cursor}&after=${first.cursor}`,
      'after=&wait=20',
      `after=other.1&wait=20`,
      'wait=20',
    ]) {
      const whole = await feedOf(site, server.id, `?${odd}`);
      assert.deepEqual([whole.document.since, whole.document.entries.length], [0, 2], odd);
    }
    const unchanged = await fetch(`${site.E}/resources/${server.id}/revocations`, {
      headers: { 'if-none-match': nothing.headers.get('etag') ?? '' },
    });
    assert.equal(unchanged.status, 200, 'a verifier needs a new date');
  });

  test(`a poll that waits is answered when something is revoked there, and not by what is revoked elsewhere (AS-124) (${engine})`, async (t) => {
    const { site, server, revoke } = await start(t, engine);
    const other = await makeServer(site);
    const { cursor } = await feedOf(site, server.id);
    const from = performance.now();
    const polls = Array.from({ length: 5 }, () =>
      feedOf(site, server.id, `?after=${cursor}&wait=20`),
    );
    const short = feedOf(site, server.id, `?after=${cursor}&wait=1`);
    await pause(150);
    await revokeAt(site, other.id, 'tkn_other');
    const timedOut = await short;
    assert.ok(performance.now() - from > 900);
    assert.deepEqual(timedOut.document.entries, []);
    assert.equal(timedOut.headers.get('cache-control'), 'no-store');

    const revokedAt = performance.now();
    await revoke('tkn_1');
    for (const { document, headers } of await Promise.all(polls)) {
      assert.deepEqual(
        document.entries.map(({ jti }) => jti),
        ['tkn_1'],
      );
      assert.equal(headers.get('cache-control'), 'no-store');
    }
    assert.ok(performance.now() - revokedAt < 1000, String(performance.now() - revokedAt));
  });
}

test('a poll may wait over HTTP/2 too (AS-124)', async (t) => {
  const { site, server } = await start(t);
  const { cursor } = await feedOf(site, server.id);
  const session = connectHttp2(site.E);
  t.after(() => session.close());
  const from = performance.now();
  const text = await new Promise<string>((done, fail) => {
    const path = `/resources/${server.id}/revocations?after=${cursor}&wait=1`;
    const stream = session.request({ ':path': path });
    let received = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk;
    });
    stream.once('end', () => done(received)).once('error', fail);
  });
  assert.ok(performance.now() - from > 900);
  assert.match(text, /^[\w-]+\.[\w-]+\.[\w-]+$/);
});

test('many who ask at the same time share one signature, and get a new one after two seconds (AS-124)', async (t) => {
  const { site, server, revoke } = await start(t);
  for (let index = 1; index <= 5; index += 1) await revoke(`tkn_${index}`);
  await pause(250);
  const asked = await Promise.all(
    Array.from({ length: 200 }, () => fetch(`${site.E}/resources/${server.id}/revocations`)),
  );
  const texts = new Set(await Promise.all(asked.map((response) => response.text())));
  assert.equal(texts.size, 1);
  site.gatewarden.clock.advance({ seconds: 3 });
  const later = await feedOf(site, server.id);
  assert.ok(!texts.has(later.text), 'its date is new');
});

test('polls of one address that wait are limited, the others are told to come back (AS-124)', async (t) => {
  const { site, server, revoke } = await start(t);
  const { cursor } = await feedOf(site, server.id);
  const outcomes: (string | null)[] = [];
  const polls = Array.from({ length: 110 }, async () => {
    const { headers } = await feedOf(site, server.id, `?after=${cursor}&wait=20`);
    outcomes.push(headers.get('retry-after'));
  });
  while (outcomes.length < 10) await pause(20);
  await pause(200);
  assert.deepEqual(
    outcomes,
    Array.from({ length: 10 }, () => '2'),
  );
  await revoke('tkn_1');
  await Promise.all(polls);
  assert.equal(outcomes.filter((retryAfter) => retryAfter === null).length, 100);
  // Places come back, and a caller that goes away leaves its own.
  const now = await feedOf(site, server.id);
  const leaving = new AbortController();
  const left = Array.from({ length: 100 }, () =>
    fetch(`${site.E}/resources/${server.id}/revocations?after=${now.cursor}&wait=20`, {
      signal: leaving.signal,
    }).catch(() => undefined),
  );
  await pause(500);
  leaving.abort();
  await Promise.all(left);
  await pause(100);
  const again = await feedOf(site, server.id, `?after=${now.cursor}&wait=1`);
  assert.equal(again.headers.get('retry-after'), null);
});

test('callers that go away before they have a place leave none behind taken: aborted polls do not shut out others (AS-124)', async (t) => {
  const database = await testPglite(t);
  let answering = Promise.resolve();
  const rows: typeof database.rows = async (query) => {
    await answering;
    return await database.rows(query);
  };
  const site = await startFeedSite(t, { database: { ...database, rows } });
  const server = await makeServer(site);
  const { cursor } = await feedOf(site, server.id);
  const url = `${site.E}/resources/${server.id}/revocations?after=${cursor}`;
  await pause(1_100); // what was read is too old by now
  let answerAll = (): void => undefined;
  answering = new Promise((done) => {
    answerAll = done;
  });
  const leaving = new AbortController();
  const gone = Array.from({ length: 100 }, () =>
    fetch(`${url}&wait=30`, { signal: leaving.signal }).catch(() => undefined),
  );
  await pause(500);
  leaving.abort();
  await Promise.all(gone);
  await pause(200);
  answerAll();
  await pause(500);

  const response = await fetch(`${url}&wait=1`);
  assert.deepEqual(
    [response.status, response.headers.get('retry-after'), response.headers.get('cache-control')],
    [200, null, 'no-store'],
  );
});

test('polls that wait hold no database connection (AS-124)', async (t) => {
  const { site, server, revoke } = await start(t, 'postgres');
  const { cursor } = await feedOf(site, server.id);
  const polls = Array.from({ length: 60 }, () =>
    feedOf(site, server.id, `?after=${cursor}&wait=20`),
  );
  await pause(500);
  // Ten connections are all there are.
  await Promise.all(
    Array.from({ length: 10 }, () =>
      site.database.transaction(async (tx) => {
        await tx.rows(sql`select pg_sleep(0.2)::text as slept`);
      }),
    ),
  );
  await revoke('tkn_1');
  for (const { document } of await Promise.all(polls)) assert.equal(document.seq, 1);
});

test('a server that stops answers the polls that wait at once (AS-124, AS-142)', async (t) => {
  const { site, server } = await start(t);
  const { cursor } = await feedOf(site, server.id);
  const poll = fetch(`${site.E}/resources/${server.id}/revocations?after=${cursor}&wait=30`);
  await pause(300);
  const from = performance.now();
  const closing = site.gatewarden.close();
  assert.equal((await poll).status, 200);
  await closing;
  assert.ok(performance.now() - from < 2000, String(performance.now() - from));
});

test('a process that hears no notification is two seconds late, and never behind what a follower has seen (AS-124, AS-142)', async (t) => {
  const { site, server, revoke } = await start(t, 'postgres');
  const { gatewarden } = site;
  const pool = await gatewarden.openDatabase?.();
  assert.ok(pool);
  const deaf = await startFeedSite(t, {
    with: {
      url: site.E,
      database: { ...pool, listen: async () => async () => undefined },
      secretKeys: gatewarden.secretKeys,
      clock: gatewarden.clock,
    },
  });
  const { cursor } = await feedOf(site, server.id, '', deaf.origin);
  await revoke('tkn_1');
  await pause(250);
  const seen = await feedOf(site, server.id, `?after=${cursor}`);
  assert.equal(seen.document.seq, 1);
  const there = await feedOf(site, server.id, `?after=${seen.cursor}`, deaf.origin);
  assert.deepEqual([there.document.since, there.document.seq], [1, 1]);

  const poll = feedOf(site, server.id, `?after=${seen.cursor}&wait=20`, deaf.origin);
  await pause(300);
  const from = performance.now();
  await revoke('tkn_2');
  assert.deepEqual(
    (await poll).document.entries.map(({ jti }) => jti),
    ['tkn_2'],
  );
  assert.ok(performance.now() - from < 2500, String(performance.now() - from));
});

test('HEAD is answered at once, other methods are 405, an unknown server 404, and web pages may read it (AS-124, AS-136)', async (t) => {
  const { site, server } = await start(t);
  const { cursor } = await feedOf(site, server.id);
  const url = `${site.E}/resources/${server.id}/revocations`;
  const from = performance.now();
  const head = await fetch(`${url}?after=${cursor}&wait=20`, { method: 'HEAD' });
  assert.ok(performance.now() - from < 1000);
  assert.deepEqual(
    [head.status, head.headers.get('etag'), await head.text()],
    [200, `"${cursor}"`, ''],
  );
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const refused = await fetch(url, { method });
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'], method);
  }
  for (const id of ['res_1234567890123456789', 'res_x', 'x', 'res_1%00'])
    assert.equal((await fetch(`${site.E}/resources/${id}/revocations`)).status, 404, id);
  assert.equal((await fetch(`${site.E}/revocations`)).status, 404);
  const page = await fetch(url, { headers: { origin: 'https://inspector.example' } });
  assert.equal(page.headers.get('access-control-allow-origin'), '*');
});

test('a database that is away is 503, never an old document with a new date (AS-124, AS-89)', async (t) => {
  const database = await testPglite(t);
  let away = false;
  const rows: typeof database.rows = (query) =>
    away
      ? Promise.reject(new DatabaseUnavailable('the database does not answer'))
      : database.rows(query);
  const site = await startFeedSite(t, { database: { ...database, rows } });
  const server = await makeServer(site);
  const { cursor } = await feedOf(site, server.id);
  const url = `${site.E}/resources/${server.id}/revocations?after=${cursor}`;
  const waiting = fetch(`${url}&wait=20`);
  await pause(300);
  away = true;
  for (const response of [await waiting, await fetch(url)]) {
    assert.equal(response.status, 503);
    assert.ok(Number(response.headers.get('retry-after')) > 0);
    assert.equal(response.headers.get('cache-control'), 'no-store');
  }
  away = false;
  await feedOf(site, server.id);
});

test('the feed is no access token and an access token is no feed: neither stands for the other (AS-145, AS-124)', async (t) => {
  const { site, server } = await start(t);
  const { access, client } = await connect(site, server);
  const { text } = await feedOf(site, server.id);
  for (const at of [site.E, server.issuer]) {
    const userinfo = await fetch(`${at}/oauth/userinfo`, {
      headers: { authorization: `Bearer ${text}` },
    });
    assert.equal(userinfo.status, at === site.E ? 401 : userinfo.status, at);
    assert.notEqual(userinfo.status, 200);
  }
  const machine = await site.gatewarden.machine(server.id);
  const introspect = async (token: string): Promise<unknown> => {
    const response = await fetch(`${server.issuer}/oauth/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token, client_id: machine.id, client_secret: machine.secret }),
    });
    return await response.json();
  };
  assert.deepEqual(await introspect(text), { active: false });
  const revoked = await fetch(`${server.issuer}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: text, client_id: client.id }),
  });
  assert.equal(revoked.status, 200);
  assert.equal((await feedOf(site, server.id)).document.seq, 0, 'nothing was revoked by it');
  const header = JSON.parse(Buffer.from(access.split('.')[0] ?? '', 'base64url').toString());
  assert.equal(header.typ, 'at+jwt');
});

test('thousands of entries fit into 256 KiB by giving up the oldest, and followers are not concerned (AS-124)', async (t) => {
  const { site, server, revoke } = await start(t);
  const { ctx } = site;
  await revoke('tkn_first');
  await pause(250);
  const early = await feedOf(site, server.id);
  await ctx.db.rows(sql`
    insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
    select ${ctx.environmentId}, ${server.id}, 'handle', lpad(n::text, 22, 'h'), ${new Date(ctx.now().getTime() + 80_000_000)}::timestamptz,
           ${ctx.now()}::timestamptz - make_interval(secs => (6000 - n) * 10)
      from generate_series(1, 6000) n order by n`);
  await pause(250);
  const { document, text } = await feedOf(site, server.id);
  assert.ok(text.length > 200_000 && text.length <= 262_144, String(text.length));
  const [cut] = document.entries;
  assert.ok(cut?.before !== undefined && cut.before < document.iat - 3600);
  assert.deepEqual([document.since, document.seq], [0, 6001]);
  const { document: close } = await feedOf(site, server.id, `?after=${document.epoch}.5999`);
  assert.deepEqual(
    close.entries.map(({ seq, before }) => [seq, before]),
    [
      [6000, undefined],
      [6001, undefined],
    ],
  );
  const { document: behind } = await feedOf(site, server.id, `?after=${early.cursor}`);
  assert.ok(behind.since <= 1 && behind.entries[0]?.before !== undefined);
});
