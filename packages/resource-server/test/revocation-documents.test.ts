import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { fetchedKeys } from '../src/issuer-keys.ts';
import { followFeed, type RevocationFeed } from '../src/revocation-feed.ts';
import { runtimeOf } from '../src/runtime/defaults.ts';
import {
  type FakeIssuer,
  newKey,
  resourceId,
  type SigningKey,
  siblingId,
  startFakeIssuer,
} from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded } from '../src/testing/guarded-server.ts';

let key: SigningKey;
let other: SigningKey;
before(async () => {
  [key, other] = await Promise.all([newKey('snk_1'), newKey('snk_1')]);
});

type Document = Parameters<FakeIssuer['feed']['document']>;

/** A verifier that does nothing between requests, so that a test decides when the feed is fetched. */
function verifierOf(issuer: FakeIssuer): RevocationFeed {
  const runtime = runtimeOf({
    now: () => issuer.clock.now,
    background: false,
    log: () => undefined,
  });
  return followFeed({
    url: `${issuer.url}/resources/${resourceId}/revocations`,
    runtime,
    rules: {
      keys: fetchedKeys(runtime, async () => `${issuer.url}/keys`),
      algorithms: new Set(['RS256']),
      issuer: issuer.url,
      audience: `${issuer.url}/resources/${resourceId}/revocations`,
      clockSkewSeconds: 30,
    },
  });
}

/** Serves one document, or text, has it fetched, and says why it was not believed. */
async function faultOf(
  issuer: FakeIssuer,
  feed: RevocationFeed,
  document: Document | string,
): Promise<string | undefined> {
  const text = typeof document === 'string' ? document : await issuer.feed.document(...document);
  issuer.feed.answer = (response) => response.end(text);
  const before = new Map(feed.state().failures);
  issuer.advance(6);
  await feed.current();
  const [fault] = [...feed.state().failures].filter(
    ([reason, count]) => count !== before.get(reason),
  );
  return fault?.[0];
}

const revoked = { seq: 1, jti: 'tkn_1', until: 4_000_000_000 };
const token = { tokenId: 'tkn_1', keyId: 'snk_1', handles: ['h1', 'h2'], issuedAt: 1_000 };

test('a document that was not signed for this feed by its issuer revokes nothing and confirms nothing: forged, of another kind, for another server, out of date (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const now = (): number => Math.floor(issuer.clock.now.getTime() / 1_000) + 6;
  const ec = await newKey('snk_ec', 'ES256');
  issuer.published.push(ec.jwk);
  const full = { seq: 1, entries: [revoked] };
  const hostile: Record<string, [string, () => Document]> = {
    'signed by a stranger under the same key id': ['signature', () => [full, {}, other]],
    'signed by a key nobody published': ['unknown_key', () => [full, { kid: 'snk_x' }, other]],
    'without key id': ['unknown_key', () => [full, { kid: undefined }]],
    'with an algorithm that is not accepted': ['algorithm', () => [full, {}, ec]],
    'typ of an access token': ['type', () => [full, { typ: 'at+jwt' }]],
    'typ JWT': ['type', () => [full, { typ: 'JWT' }]],
    'typ with a prefix': ['type', () => [full, { typ: 'application/gatewarden-revocations+jwt' }]],
    'no typ': ['type', () => [full, { typ: undefined }]],
    'an extension nobody knows': ['malformed', () => [full, { crit: ['b64'], b64: true }]],
    'of another issuer': ['issuer', () => [{ ...full, iss: 'https://evil.example' }]],
    'of the server instead of the environment': [
      'issuer',
      () => [{ ...full, iss: `${issuer.url}/resources/${resourceId}` }],
    ],
    'of the sibling server': [
      'audience',
      () => [{ ...full, aud: `${issuer.url}/resources/${siblingId}/revocations` }],
    ],
    'for several feeds': [
      'audience',
      () => [{ ...full, aud: [`${issuer.url}/resources/${resourceId}/revocations`] }],
    ],
    ended: ['expired', () => [{ ...full, iat: now() - 120, exp: now() - 60 }]],
    'without end': ['malformed', () => [{ ...full, exp: undefined }]],
    'without date': ['malformed', () => [{ ...full, iat: undefined }]],
    'from the future': ['issued_in_future', () => [{ ...full, iat: now() + 60 }]],
    'without epoch': ['malformed', () => [{ ...full, epoch: undefined }]],
    'with a sequence that is no number': ['malformed', () => [{ ...full, seq: '1' }]],
    'with a negative sequence': ['malformed', () => [{ ...full, seq: -1 }]],
    'newer than itself': ['malformed', () => [{ ...full, since: 2 }]],
    'without entries': ['entries', () => [{ ...full, entries: undefined }]],
    'with an entry of an unknown kind': [
      'entries',
      () => [{ ...full, entries: [revoked, { seq: 2, person: 'usr_1', until: 4_000_000_000 }] }],
    ],
    'with an entry of two kinds': [
      'entries',
      () => [{ ...full, entries: [{ ...revoked, handle: 'h1' }] }],
    ],
    'with an entry without end': [
      'entries',
      () => [{ ...full, entries: [{ seq: 1, jti: 'tkn_1' }] }],
    ],
    'beginning in the middle': ['gap', () => [{ ...full, since: 1 }]],
  };
  for (const [name, [fault, document]] of Object.entries(hostile)) {
    const feed = verifierOf(issuer);
    assert.equal(await faultOf(issuer, feed, document()), fault, name);
    assert.equal(feed.names(token), false, name);
    assert.equal(feed.state().ageMs, undefined, name);
  }
  const feed = verifierOf(issuer);
  assert.equal(await faultOf(issuer, feed, [{ ...full, iat: now(), exp: now() + 60 }]), undefined);
  assert.equal(feed.names(token), true, 'the same document, as it should be');
});

test('an access token posted as the feed, and a feed document sent as access token, are refused (RS-58, RS-21)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const feed = verifierOf(issuer);
  const audience = `${issuer.url}/resources/${resourceId}/revocations`;
  const now = Math.floor(issuer.clock.now.getTime() / 1_000) + 6;
  const claims = { iat: now, epoch: 'e1', seq: 1, since: 0, entries: [revoked], aud: audience };
  assert.equal(await faultOf(issuer, feed, await issuer.token(claims)), 'type');
  assert.equal(feed.names(token), false);

  issuer.feed.answer = undefined;
  for (const allowUntyped of [false, true]) {
    const server = await startGuarded(t, declaration(issuer, { allowUntyped }));
    const document = await issuer.feed.document(issuer.claims());
    assert.equal((await server.send({ token: document })).status, 401);
    assert.deepEqual(server.calls, []);
  }
});

test('a replayed document, an older sequence and an old epoch change nothing; a gap is filled by asking for everything (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const { feed: published } = issuer;
  const feed = verifierOf(issuer);
  const documentAt = async (claims: Record<string, unknown>): Promise<string> => {
    issuer.advance(6);
    const text = await published.document(claims);
    issuer.advance(-6);
    return text;
  };
  const first = await documentAt({ seq: 5, entries: [] });
  assert.equal(await faultOf(issuer, feed, first), undefined);
  assert.equal(feed.ageMs(), 0);

  assert.equal(await faultOf(issuer, feed, first), undefined);
  assert.equal(feed.ageMs(), 6_000, 'the same document proves nothing about this moment');
  assert.deepEqual(
    await faultOf(issuer, feed, await documentAt({ seq: 4, entries: [] })),
    'rolled_back',
  );
  assert.equal(
    await faultOf(issuer, feed, await documentAt({ iat: undefined, seq: 6 })),
    'malformed',
  );
  assert.equal(await faultOf(issuer, feed, await documentAt({ seq: 9, since: 7 })), 'gap');
  assert.equal(feed.ageMs(), 24_000, 'none of them made it any fresher');

  let asked: string | undefined;
  const whole = await documentAt({ seq: 9, entries: [revoked] });
  published.answer = (response, request) => {
    asked = request.url;
    response.end(whole);
  };
  issuer.advance(6);
  await feed.current();
  assert.equal(asked, `/resources/${resourceId}/revocations`, 'everything, after a gap');
  assert.equal(feed.names(token), true);
  assert.equal(feed.ageMs(), 0);
});

test('a new epoch must be dated within 10 seconds of now, and an epoch that is over does not come back (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const feed = verifierOf(issuer);
  const now = (): number => Math.floor(issuer.clock.now.getTime() / 1_000) + 6;
  const dated = (iat: number): Record<string, unknown> => ({ iat, exp: iat + 60 });
  const sent = (claims: Record<string, unknown>): Promise<string | undefined> =>
    faultOf(issuer, feed, [{ ...dated(now()), ...claims }]);

  assert.equal(await sent({ epoch: 'e1', seq: 7 }), undefined);
  assert.equal(await sent({ epoch: 'e2', seq: 1, ...dated(now() - 11) }), 'epoch');
  assert.equal(await sent({ epoch: 'e2', seq: 1, ...dated(now() + 11) }), 'epoch');
  assert.equal(await sent({ epoch: 'e2', seq: 3, since: 2 }), 'gap');
  assert.equal(
    await sent({ epoch: 'e2', seq: 1, entries: [revoked], ...dated(now() - 9) }),
    undefined,
  );
  assert.equal(feed.ageMs(), 0);
  assert.equal(await sent({ epoch: 'e1', seq: 8 }), 'rolled_back');
  assert.equal(await sent({ epoch: 'e2', seq: 1, entries: [] }), undefined);
  assert.equal(feed.names(token), true, 'what was revoked once stays revoked');
});

test('an answer that is huge, endless, redirected, garbage or never comes is no document; a request waits 2 seconds for it at most (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const valid = await issuer.feed.document({ iat: undefined });
  const answers: Record<string, [string, NonNullable<FakeIssuer['feed']['answer']>]> = {
    huge: ['larger than 512 KiB', (response) => response.end(`${valid}${' '.repeat(600_000)}`)],
    endless: [
      'larger than 512 KiB',
      (response) => {
        const write = (): void => {
          while (!response.destroyed && response.write(' '.repeat(10_000)));
        };
        response.on('drain', write);
        write();
      },
    ],
    'redirected to itself': [
      'status 302',
      (response) => response.writeHead(302, { location: '/keys' }).end(),
    ],
    'not found': ['status 404', (response) => response.writeHead(404).end(valid)],
    'no JWS': ['malformed', (response) => response.end('<html>')],
    empty: ['malformed', (response) => response.end()],
    cut: ['malformed', (response) => response.end(valid.slice(0, 40))],
    'not UTF-8': ['TypeError', (response) => response.end(Buffer.from([0xff, 0xfe]))],
    'closed at once': ['TypeError', (response) => response.destroy()],
    hanging: ['TimeoutError', () => undefined],
    'hanging in the middle': ['TimeoutError', (response) => response.write(valid.slice(0, 40))],
  };
  for (const [name, [reason, answer]] of Object.entries(answers)) {
    const feed = verifierOf(issuer);
    issuer.feed.answer = answer;
    const began = performance.now();
    await feed.current();
    const took = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(took < 2_500, `${name} took ${took} ms`);
    assert.deepEqual([...feed.state().failures], [[reason, 1]], name);
    assert.equal(feed.current(), undefined, 'nobody waits again at once');
    assert.equal(feed.state().reachable, false);
  }
});

test('a document that was on its way for long counts from the time it was made (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const feed = verifierOf(issuer);
  const old = await issuer.feed.document();
  issuer.advance(44);
  assert.equal(await faultOf(issuer, feed, old), undefined);
  assert.equal(feed.ageMs(), 20_000, '50 seconds, less the tolerated difference of clocks');
});

test('a feed that fails is asked again after a pause that grows, and less often than requests come (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const feed = verifierOf(issuer);
  issuer.feed.answer = (response) => response.writeHead(503).end();
  for (let tenths = 0; tenths < 300; tenths += 1) {
    await feed.current();
    issuer.advance(0.1);
  }
  const { fetches } = issuer.feed;
  assert.ok(fetches >= 6 && fetches <= 15, `${fetches} attempts in 30 seconds`);
  issuer.feed.answer = undefined;
  issuer.advance(5);
  await feed.current();
  assert.equal(feed.ageMs(), 0, 'recovered');
  assert.equal(feed.state().reachable, true);
});

test('requests that come together share one fetch of the feed (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const feed = verifierOf(issuer);
  await Promise.all(Array.from({ length: 100 }, () => feed.current()));
  assert.equal(issuer.feed.fetches, 1);
  issuer.advance(1.9);
  assert.equal(feed.current(), undefined, 'recent enough');
  issuer.advance(0.2);
  await Promise.all(Array.from({ length: 100 }, () => feed.current()));
  assert.equal(issuer.feed.fetches, 2);
});

test('a feed signed with a key of this very moment is believed although the key set was just fetched (RS-31, AS-18)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const feed = verifierOf(issuer);
  await feed.current();
  const fresh = await newKey('snk_2');
  issuer.published = [fresh.jwk];
  issuer.feed.key = fresh;
  issuer.feed.revoke({ kid: 'snk_1' });
  issuer.advance(3);
  await feed.current();
  assert.equal(feed.names({ ...token, tokenId: undefined }), true);

  issuer.published = [fresh.jwk, key.jwk];
  issuer.feed.key = key;
  issuer.advance(3);
  await feed.current();
  assert.equal(
    feed.state().failures.get('withdrawn_key'),
    1,
    'its thief cannot speak for the feed',
  );
});
