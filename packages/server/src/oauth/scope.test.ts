import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OAuthError, wireText } from './oauth-error.ts';
import { parseScope } from './scope.ts';
import { isReservedClaim } from './token-kinds.ts';

test('scope is a list of tokens, each once; a malformed one is invalid_scope (AS-41, RFC 6749 section 3.3)', () => {
  assert.deepEqual(parseScope('todo:read  todo:write todo:read'), ['todo:read', 'todo:write']);
  assert.deepEqual(parseScope(''), []);
  assert.deepEqual(parseScope(undefined), []);
  for (const bad of ['a\tb', 'a"b', 'a\\b', 'ä', 'a\nb', 'x'.repeat(5000)]) {
    assert.throws(
      () => parseScope(bad),
      (error) => error instanceof OAuthError && error.code === 'invalid_scope',
      JSON.stringify(bad),
    );
  }
});

test('an error description carries only what RFC 6749 allows on the wire', () => {
  assert.equal(wireText('a "b"\r\nX: c\\ ü'), 'a ?b???X: c? ?');
});

test('no custom claim can be named like a claim of the server or of a standard (AS-151)', () => {
  for (const name of [
    'iss',
    'sub',
    'aud',
    'exp',
    'scope',
    'scopes',
    'client_id',
    'rvk',
    'sid',
    'act',
    'cnf',
    'email',
    'roles',
    'permissions',
    'nonce',
    '__proto__',
  ])
    assert.ok(isReservedClaim(name), name);
  assert.ok(!isReservedClaim('plan') && !isReservedClaim('https://acme.example/plan'));
});
