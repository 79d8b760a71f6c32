import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Revocation } from '../../grants/revocations.store.ts';
import { beginningFor, feedEntries, MOST_ENTRIES, readCursor, readWait } from './feed-document.ts';

const NOW = new Date('2026-11-20T10:00:00.250Z');
const second = NOW.getTime() / 1000 - 0.25;
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);

const revocation = (seq: number, members: Partial<Revocation> = {}): Revocation => ({
  seq: BigInt(seq),
  kind: 'handle',
  value: String(seq).padStart(22, 'h'),
  mattersUntil: ago(-86_700),
  createdAt: ago(10),
  ...members,
});

test('entries say what is revoked and until when it matters, in order, and what matters no more is left out (AS-124)', () => {
  const entries = feedEntries(
    [
      revocation(5, { kind: 'before', value: '1700000000' }),
      revocation(4, { kind: 'jti', value: 'tkn_4', mattersUntil: ago(0) }),
      revocation(3, { kind: 'jti', value: 'tkn_3', mattersUntil: ago(-1) }),
      revocation(1),
      revocation(2, { kind: 'kid', value: 'snk_2' }),
    ],
    NOW,
  );
  assert.deepEqual(entries, [
    { seq: 1, until: second + 86_701, handle: 'hhhhhhhhhhhhhhhhhhhhh1' },
    { seq: 2, until: second + 86_701, kid: 'snk_2' },
    { seq: 3, until: second + 2, jti: 'tkn_3' },
    { seq: 5, until: second + 86_701, before: 1_700_000_000 },
  ]);
});

test('too many entries are cut from the oldest, which give way to one moment that covers them; withdrawn keys stay (AS-124)', () => {
  const many = Array.from({ length: 4000 }, (_, index) =>
    revocation(index + 2, { createdAt: ago(80_000 - index * 20) }),
  );
  const entries = feedEntries([revocation(1, { kind: 'kid', value: 'snk_1' }), ...many], NOW);
  assert.ok((JSON.stringify(entries).length * 4) / 3 < 262_144 - 3000);
  assert.ok(entries.length > 2000, String(entries.length));
  assert.deepEqual(entries[0], { seq: 1, until: second + 86_701, kid: 'snk_1' });
  const [, cut] = entries;
  assert.ok(cut && 'before' in cut);
  // What it stands for is everything up to its own number.
  assert.equal(entries[2]?.seq, cut.seq + 1);
  const newestOfThem = many.find(({ seq }) => Number(seq) === cut.seq)?.createdAt ?? NOW;
  assert.ok(cut.before * 1000 > newestOfThem.getTime() + 60_000);
  // Tokens of the last hours are not touched.
  assert.ok(cut.before < second - 3600 * 3, String(second - cut.before));
  assert.ok(cut.until >= cut.before + 86_400 + 300);
});

test('a flood of this very second is cut at the present, never in the future (AS-124)', () => {
  const flood = Array.from({ length: MOST_ENTRIES }, (_, index) =>
    revocation(index + 1, { createdAt: ago(0) }),
  );
  const [cut] = feedEntries(flood, NOW);
  assert.ok(cut && 'before' in cut);
  assert.equal(cut.before, second + 1);
});

test('a cursor is an epoch and a number, anything else gets the complete document (AS-124)', () => {
  assert.deepEqual(readCursor('Ab-_9.12'), { epoch: 'Ab-_9', seq: 12 });
  assert.deepEqual(readCursor('e.0'), { epoch: 'e', seq: 0 });
  for (const text of [
    undefined,
    '',
    'e',
    'e.',
    '.1',
    'e.01',
    'e.-1',
    'e.1.5',
    'e.1e3',
    'e.9999999999999999',
    `${'e'.repeat(65)}.1`,
    'e .1',
    'e.1\n',
    ['e.1', 'e.2'],
  ])
    assert.equal(readCursor(text), undefined, JSON.stringify(text));
});

test('followers wait whole seconds, thirty at most (AS-124)', () => {
  assert.deepEqual(['0', '1', '30', '31', '9999'].map(readWait), [0, 1, 30, 30, 30]);
  for (const odd of [undefined, '', '-1', '1.5', '1e1', ' 1', '99999', ['1', '2']])
    assert.equal(readWait(odd), 0, JSON.stringify(odd));
});

test('documents begin where the follower stands, and there are few different ones whatever followers say (AS-124)', () => {
  const feed = { epoch: 'e', seq: 3000 };
  const since = (seq: number, epoch = 'e'): number => beginningFor({ epoch, seq }, feed);
  assert.deepEqual(
    [3000, 2999, 2968].map((seq) => since(seq)),
    [3000, 2999, 2968],
  );
  assert.equal(beginningFor(undefined, feed), 0);
  assert.deepEqual([since(2999, 'other'), since(3001), since(0)], [0, 0, 0]);
  const all = Array.from({ length: 3001 }, (_, seq) => since(seq));
  assert.ok(all.every((begin, seq) => begin <= seq));
  assert.ok(new Set(all).size < 50, String(new Set(all).size));
});
