import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkChallenge, isVerifier, verifierMatches } from './pkce.ts';

// RFC 7636 appendix B.
const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

test('the verifier of RFC 7636 appendix B matches its challenge (AS-95)', () => {
  assert.ok(verifierMatches(verifier, challenge));
  assert.ok(!verifierMatches(verifier.replace('d', 'e'), challenge));
  assert.ok(!verifierMatches(challenge, challenge), 'plain must not pass as S256');
  assert.ok(!verifierMatches('', challenge));
});

test('only S256 with 43 characters of base64url is a challenge (AS-24)', () => {
  assert.deepEqual(checkChallenge({ code_challenge: challenge, code_challenge_method: 'S256' }), {
    kind: 'given',
    challenge,
  });
  assert.equal(checkChallenge({}).kind, 'absent');
  for (const params of [
    { code_challenge: challenge },
    { code_challenge: challenge, code_challenge_method: 'plain' },
    { code_challenge: challenge, code_challenge_method: 's256' },
    { code_challenge_method: 'S256' },
    { code_challenge: challenge.slice(1), code_challenge_method: 'S256' },
    { code_challenge: `${challenge}A`, code_challenge_method: 'S256' },
    { code_challenge: `${challenge.slice(1)}=`, code_challenge_method: 'S256' },
  ]) {
    assert.equal(checkChallenge(params).kind, 'wrong', JSON.stringify(params));
  }
});

test('a verifier has 43 to 128 unreserved characters (AS-95)', () => {
  assert.ok(isVerifier('a'.repeat(43)) && isVerifier('~'.repeat(128)));
  for (const bad of ['a'.repeat(42), 'a'.repeat(129), `${'a'.repeat(43)} `, `${'a'.repeat(43)}+`])
    assert.ok(!isVerifier(bad));
});
