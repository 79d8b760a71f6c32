import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges, tokenChallenge } from '../src/challenge-header.ts';

function read(text: string): { schemes: string[]; problem: string | undefined } {
  const { challenges, problem } = parseChallenges(text);
  return { schemes: challenges.map(({ scheme }) => scheme), problem };
}

test('challenges are read as RFC 9110 writes them: quotes, escapes, several in one field, any case and space (RS-13, SKILL-69)', () => {
  const rows: [string, string[]][] = [
    ['Bearer', ['bearer']],
    ['bearer resource_metadata="https://a/b"', ['bearer']],
    ['Bearer realm="a, b=\\"c\\"", scope="x y"', ['bearer']],
    ['Bearer realm = "a" ,  scope = "b"', ['bearer']],
    ['DPoP algs="ES256", Bearer error="invalid_token"', ['dpop', 'bearer']],
    ['Basic realm="x", Bearer, DPoP', ['basic', 'bearer', 'dpop']],
    ['Bearer error=invalid_token', ['bearer']],
  ];
  for (const [text, schemes] of rows)
    assert.deepEqual(read(text), { schemes, problem: undefined }, text);
  const { challenges } = parseChallenges('Bearer realm="a, b=\\"c\\"", scope="x y"');
  assert.equal(challenges[0]?.parameters.get('realm'), 'a, b="c"');
  assert.equal(challenges[0]?.parameters.get('scope'), 'x y');
});

test('what is no challenge is said to be none, and the rest of it still read (SKILL-69)', () => {
  const rows: [string, RegExp][] = [
    ['Bearer resource_metadata=https://a/b', /needs quotes/],
    ['Bearer realm="a" scope="b"', /comma is missing/],
    ['Bearer realm="a", realm="b"', /occurs twice/],
    ['Bearer realm="a', /quotes/],
    ['realm="a"', /cannot be read/],
    ['Bearer "loose"', /cannot be read/],
  ];
  for (const [text, problem] of rows) assert.match(read(text).problem ?? '', problem, text);
  const { challenges } = parseChallenges('Bearer resource_metadata=https://a/b, scope="c"');
  assert.equal(challenges[0]?.parameters.get('resource_metadata'), 'https://a/b');
});

test('no text keeps the parser busy or makes it throw (SKILL-69, hostile header)', () => {
  const started = performance.now();
  for (const piece of ['a', '"', '\\', ',', '=', ' ', 'Bearer ', 'a="', 'a=,', '\u0000', 'é'])
    parseChallenges(piece.repeat(8_000));
  assert.ok(performance.now() - started < 2_000);
});

test('of several challenges the one with the metadata counts, Bearer before DPoP (SKILL-69)', () => {
  const { challenges } = parseChallenges(
    'DPoP algs="ES256", Bearer realm="a", Bearer resource_metadata="https://a"',
  );
  assert.equal(tokenChallenge(challenges)?.parameters.get('resource_metadata'), 'https://a');
  assert.equal(tokenChallenge(parseChallenges('DPoP a="b"').challenges)?.scheme, 'dpop');
  assert.equal(tokenChallenge(parseChallenges('Basic').challenges), undefined);
});
