import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revokedNames } from '../src/revoked-names.ts';
import { heapUsed } from '../src/testing/heap-used.ts';

const token = { tokenId: 'tkn_1', keyId: 'snk_1', handles: ['h1', 'h2'], issuedAt: 1_000 };
const until = 90_000;

test('a token is revoked by any of its handles, by its id, by its key or by its age, and by nothing else (RS-58)', () => {
  const cases = [
    [{ kind: 'handle', name: 'h2', until }, true],
    [{ kind: 'handle', name: 'h3', until }, false],
    [{ kind: 'handle', name: 'tkn_1', until }, false],
    [{ kind: 'jti', name: 'tkn_1', until }, true],
    [{ kind: 'jti', name: 'h1', until }, false],
    [{ kind: 'kid', name: 'snk_1', until }, true],
    [{ kind: 'kid', name: 'snk_10', until }, false],
    [{ kind: 'before', before: 1_001, until }, true],
    [{ kind: 'before', before: 1_000, until }, false],
  ] as const;
  for (const [revocation, expected] of cases) {
    const revoked = revokedNames(10);
    revoked.add([revocation], 2_000);
    assert.equal(revoked.names(token), expected, JSON.stringify(revocation));
  }
  const revoked = revokedNames(10);
  revoked.add([{ kind: 'before', before: 1, until }], 2_000);
  assert.equal(revoked.names({ ...token, issuedAt: undefined }), true, 'of unknown age');
  for (const name of ['__proto__', 'constructor']) {
    assert.equal(revoked.names({ ...token, handles: [name], tokenId: name, keyId: name }), false);
  }
});

test('a revocation is forgotten when it no longer matters to the slowest clock, no sooner, and never shortened (RS-58)', () => {
  const revoked = revokedNames(10);
  revoked.add([{ kind: 'jti', name: 'tkn_1', until: 5_000 }], 2_000);
  revoked.add([{ kind: 'jti', name: 'tkn_1', until: 4_000 }], 2_000);
  revoked.add([{ kind: 'before', before: 900, until: 5_000 }], 2_000);
  revoked.forgetEnded(5_299);
  assert.equal(revoked.names(token), true);
  revoked.forgetEnded(5_301);
  assert.equal(revoked.names(token), false);
  assert.equal(revoked.size(), 0);
});

test('a flood of revocations is bounded: everything issued until now is refused, withdrawn keys stay (RS-58)', () => {
  const revoked = revokedNames(200_000);
  revoked.add([{ kind: 'kid', name: 'snk_9', until }], 2_000);
  const before = heapUsed();
  for (let round = 0; round < 200; round += 1) {
    revoked.add(
      Array.from({ length: 2_500 }, (_, n) => ({
        kind: 'handle' as const,
        name: `handle-${round}-${n}`,
        until,
      })),
      2_000 + round,
    );
  }
  assert.ok(revoked.size() <= 200_002, `${revoked.size()} entries after 500,000`);
  assert.ok(heapUsed() - before < 60_000_000);
  assert.equal(revoked.names(token), true, 'issued before');
  assert.equal(revoked.names({ ...token, issuedAt: 5_000 }), false, 'issued afterwards');
  assert.equal(revoked.names({ ...token, issuedAt: 5_000, keyId: 'snk_9' }), true);
});

test('a feed that withdraws more keys than anybody has ends all trust (RS-58)', () => {
  const revoked = revokedNames(200_000);
  revoked.add(
    Array.from({ length: 10_001 }, (_, n) => ({ kind: 'kid' as const, name: `snk_x${n}`, until })),
    2_000,
  );
  assert.ok(revoked.size() < 10);
  assert.equal(revoked.names({ ...token, issuedAt: 80_000 }), true);
});
