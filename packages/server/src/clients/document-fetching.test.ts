import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { createSafeFetch } from '../runtime/safe-fetch.ts';
import { JWT_BEARER } from './client-assertion.ts';
import { authenticateClient } from './client-authentication.ts';
import { resolveClient } from './clients.ts';
import { registerClient } from './registration.ts';
import { at, outcome, post } from './test-authentication.ts';
import { documentSite, signer, testClients } from './test-clients.ts';
import { AUTHORIZE, descriptionOf, documentOf, TOKEN } from './test-documents.ts';

test('an answer that breaks the fetch rules is named at authorize and is 503 at token, and is never kept (AS-72, AS-78, AS-79)', async (t) => {
  const { ctx } = await testClients();
  const site = await documentSite(t);
  const good = documentOf(`${site.origin}/x`);
  const answers = {
    redirect: { status: 302, location: '/elsewhere' },
    html: { type: 'text/html', body: '<html>' },
    missing: { status: 404, body: good },
    broken: { status: 500, body: good },
    big: {
      body: JSON.stringify({ ...documentOf(`${site.origin}/big`), padding: 'x'.repeat(10_240) }),
    },
  };
  for (const [name, answer] of Object.entries(answers)) {
    const url = site.answer(`/${name}`, answer);
    assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'invalid-document', name);
    assert.equal((await resolveClient(ctx, url, TOKEN)).kind, 'unreachable', name);
    assert.equal(
      site.requests.filter((path) => path === `/${name}`).length,
      2,
      'a failure is not remembered',
    );
  }
  assert.equal(site.requests.includes('/elsewhere'), false);
});

test('no name, inner addresses and a closed port cannot be told apart, at authorize or at token (AS-79, port scan by proxy)', async () => {
  const hosts: Record<string, string[]> = {
    'gone.example': [],
    'loopback.example': ['127.0.0.1'],
    'inner.example': ['10.0.0.1'],
    'meta.example': ['169.254.169.254'],
  };
  const fetch = createSafeFetch({
    allowLoopback: true,
    ownHosts: () => [],
    resolve: async (host) => hosts[host] ?? ['127.0.0.1'],
  });
  const { ctx, events, settings } = await testClients({ fetch });
  await settings({ limits: { newDocumentHostsPerMinutePerNetwork: 100 } });
  const urls = [...Object.keys(hosts).map((host) => `https://${host}/id`), 'http://127.0.0.1:1/id'];
  const seen = new Set<string>();
  for (const url of urls) {
    const resolution = await resolveClient(ctx, url, AUTHORIZE);
    seen.add(`${resolution.kind} ${await descriptionOf(ctx, url)}`);
  }
  assert.equal(seen.size, 1);
  assert.match([...seen][0] ?? '', /^unreachable 503 temporarily_unavailable/);
  const reasons = (await events('client.document_refused')).map((event) => event.reason);
  assert.deepEqual([...new Set(reasons)].sort(), ['blocked-address', 'connection', 'name']);
});

test('one that is known by Cache-Control is not fetched again before 5 minutes, and is after 24 hours; an hour without it (AS-78)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await documentSite(t);
  const fetchedAfter = async (
    cacheControl: string | undefined,
    minutes: number,
  ): Promise<boolean> => {
    const path = `/${randomUUID()}`;
    const url = site.answer(path, {
      body: documentOf(`${site.origin}${path}`),
      ...(cacheControl === undefined ? {} : { cacheControl }),
    });
    await resolveClient(ctx, url, TOKEN);
    clients.advance({ minutes });
    await resolveClient(ctx, url, TOKEN);
    return site.requests.filter((request) => request === path).length === 2;
  };
  assert.deepEqual(
    [await fetchedAfter('no-store', 4), await fetchedAfter('no-store', 6)],
    [false, true],
  );
  assert.deepEqual(
    [await fetchedAfter('max-age=1', 4), await fetchedAfter('public, max-age=60', 6)],
    [false, true],
  );
  assert.deepEqual(
    [await fetchedAfter('max-age=1200', 19), await fetchedAfter('max-age=1200', 21)],
    [false, true],
  );
  assert.deepEqual(
    [await fetchedAfter('max-age=9999999', 1439), await fetchedAfter('max-age=9999999', 1441)],
    [false, true],
  );
  assert.deepEqual(
    [await fetchedAfter(undefined, 59), await fetchedAfter(undefined, 61)],
    [false, true],
  );
});

test('while the origin is down refresh still works for a day, and a new authorization for ten minutes (AS-74, AS-78)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  await resolveClient(ctx, url, AUTHORIZE);
  site.down();
  clients.advance({ minutes: 65 });
  assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'found');
  clients.advance({ minutes: 10 });
  assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'unreachable');
  assert.equal((await resolveClient(ctx, url, TOKEN)).kind, 'found');
  clients.advance({ minutes: 24 * 60 - 20 });
  assert.equal((await resolveClient(ctx, url, TOKEN)).kind, 'found');
  clients.advance({ minutes: 30 });
  assert.equal((await resolveClient(ctx, url, TOKEN)).kind, 'unreachable');
});

test('a document that became invalid is refused at token although an older one was valid (AS-78, AS-79)', async (t) => {
  const clients = await testClients();
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  await resolveClient(clients.ctx, url, TOKEN);
  site.answer('/id', { body: documentOf(`${site.origin}/id`, { client_secret: 'x' }) });
  clients.advance({ minutes: 61 });
  assert.equal((await resolveClient(clients.ctx, url, TOKEN)).kind, 'invalid-document');
});

test('callers of one URL share one fetch (AS-74, single flight)', async (t) => {
  const { ctx } = await testClients();
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`), delayMs: 50 });
  const kinds = await Promise.all(
    Array.from({ length: 40 }, async () => (await resolveClient(ctx, url, TOKEN)).kind),
  );
  assert.deepEqual(new Set(kinds), new Set(['found']));
  assert.equal(site.requests.length, 1);
});

test('a flood of 500 host names gets few fetches, and does not stop a known client from signing in (AS-74, denial of service)', async () => {
  let fetches = 0;
  const known = 'https://known.example/id';
  const fetch = async (url: string) => {
    fetches += 1;
    if (url === known)
      return {
        kind: 'fetched',
        status: 200,
        contentType: 'application/json',
        cacheControl: 'max-age=300',
        body: Buffer.from(JSON.stringify(documentOf(known))),
      } as const;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { kind: 'failed', reason: 'timeout', detail: 'no answer' } as const;
  };
  const clients = await testClients({ fetch });
  const { ctx, from } = clients;
  assert.equal((await resolveClient(ctx, known, AUTHORIZE)).kind, 'found');
  clients.advance({ minutes: 20 });
  fetches = 0;
  const flood = Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      resolveClient(from(`192.0.2.${index % 250}`), `https://host-${index}.example/id`, AUTHORIZE),
    ),
  );
  assert.equal((await resolveClient(ctx, known, AUTHORIZE)).kind, 'found');
  const kinds = (await flood).map((resolution) => resolution.kind);
  assert.ok(fetches <= 9, `${fetches} fetches at once`);
  assert.ok(kinds.filter((kind) => kind === 'busy').length >= 490);
  const busy = await flood.then((resolutions) =>
    resolutions.find((resolution) => resolution.kind === 'busy'),
  );
  assert.ok(busy?.kind === 'busy' && busy.retryAfterSeconds > 0);
});

test('one network may bring five new hosts a minute, one origin a limited number of documents, all together half of the total (AS-74)', async () => {
  const fetch = async () => ({ kind: 'failed', reason: 'name', detail: 'no address' }) as const;
  const clients = await testClients({ fetch });
  const { from } = clients;
  const kind = async (address: string, url: string): Promise<string> =>
    (await resolveClient(from(address), url, AUTHORIZE)).kind;
  const first = [];
  for (let index = 0; index < 6; index += 1)
    first.push(await kind('203.0.113.1', `https://host-${index}.example/id`));
  assert.deepEqual(first, [...Array(5).fill('unreachable'), 'busy']);
  const rotating = [];
  for (let index = 0; index < 6; index += 1)
    rotating.push(await kind(`2001:db8:1:${index}::1`, `https://six-${index}.example/id`));
  assert.equal(rotating[5], 'busy', 'addresses of one /48 are one network');
  const origin = [];
  for (let index = 0; index < 24; index += 1)
    origin.push(await kind(`198.51.100.${index}`, `https://one.example/${index}`));
  assert.deepEqual([origin[22], origin[23]], ['unreachable', 'busy']);
  const rest = [];
  for (let index = 0; index < 60; index += 1)
    rest.push(await kind(`192.0.2.${index}`, `https://other-${index}.example/id`));
  assert.equal(rest.filter((result) => result === 'unreachable').length, 60 - 5 - 5 - 23);
});

test('key sets of self-registered clients are new hosts too: one network cannot make us knock on many doors (AS-74, port scan by proxy)', async () => {
  const asked: string[] = [];
  const fetch = async (url: string) => {
    asked.push(url);
    return { kind: 'failed', reason: 'name', detail: 'no address' } as const;
  };
  const clients = await testClients({ fetch });
  const { ctx } = clients;
  const server = await clients.mcpServer();
  const key = await signer();
  const statuses: string[] = [];
  for (let index = 0; index < 7; index += 1) {
    const { record } = await registerClient(ctx, server, {
      redirect_uris: ['https://client.example/cb'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: `https://inner-${index}.example/keys`,
    });
    const { id } = record.client;
    const assertion = await key.sign({ iss: id, sub: id, aud: ctx.issuer });
    const form = { client_assertion_type: JWT_BEARER, client_assertion: assertion };
    statuses.push(await outcome(authenticateClient(ctx, post(form), at(ctx, server))));
  }
  assert.equal(asked.length, 5);
  assert.deepEqual([...new Set(statuses)], ['503 temporarily_unavailable']);
});
