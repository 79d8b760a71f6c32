import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

const metadataUrl = 'http://localhost:3333/.well-known/oauth-protected-resource/mcp';

test('without a token: 401 with metadata and scope, but no error (RS-11, RS-14)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, { baseScopes: ['todo:read'], realm: 'To-"dos"\\' }),
  );
  for (const method of ['GET', 'POST', 'HEAD', 'DELETE', 'PATCH', 'TRACE']) {
    const answer = await server.send({ method });
    assert.equal(answer.status, 401, method);
    assert.deepEqual(challengeOf(answer), {
      realm: 'To-"dos"\\',
      scope: 'todo:read',
      resource_metadata: metadataUrl,
    });
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
  const answer = await server.send({ body: toolCall('list_todos') });
  assert.equal(typeof JSON.parse(answer.text).error_description, 'string');
});

test('without base scopes the challenge has no scope (RS-11)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  assert.deepEqual(challengeOf(await server.send({})), { resource_metadata: metadataUrl });
});

test('a refused token gets invalid_token without an echo of its content (RS-12)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { baseScopes: ['todo:read'] }));

  const answer = await server.send({
    token: await issuer.token({ iss: 'https://evil.example/ECHO' }),
  });

  const {
    error,
    error_description: description,
    scope,
    resource_metadata: metadata,
  } = challengeOf(answer);
  assert.deepEqual(
    [answer.status, error, scope, metadata],
    [401, 'invalid_token', 'todo:read', metadataUrl],
  );
  assert.ok(description && description.length < 100);
  assert.ok(!JSON.stringify([answer.headers, answer.text]).includes('ECHO'));
});

test('the scheme is Bearer in any case, with any number of spaces (RS-8)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  for (const value of [`Bearer ${token}`, `bearer ${token}`, `BEARER   ${token}`]) {
    assert.equal((await server.send({ headers: [['Authorization', value]] })).status, 200);
  }
});

test('a malformed or repeated Authorization header is 400 invalid_request (RS-10)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const values = [
    [`Bearer ${token} ${token}`],
    [`Bearer ${token}, Bearer ${token}`],
    [`Bearer "${token}"`],
    ['Bearer'],
    ['Bearer '],
    [`Bearer\t${token}`],
    [`Bearer ${token}\t`, `Bearer ${token}`],
    [`Bearer ${token}`, `Bearer ${token}`],
    [`Bearer ${token}`, 'Basic eDp5'],
    ['Basic eDp5', `Bearer ${token}`],
    [''],
    ['@'],
  ];
  for (const list of values) {
    const headers = list.map((value): [string, string] => ['Authorization', value]);
    const answer = await server.send({ headers });
    assert.equal(answer.status, 400, JSON.stringify(list.map((value) => value.slice(0, 20))));
    assert.equal(challengeOf(answer)['error'], 'invalid_request');
  }
  assert.deepEqual(server.calls, []);
});

test('two Authorization headers on a raw socket, spelled differently, are refused (RS-10)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const answer = await server.raw(
    `GET /mcp HTTP/1.1\r\nHost: localhost\r\nauthorization: Bearer ${token}\r\nAUTHORIZATION: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.deepEqual(server.calls, []);
});

test('another scheme is no token at all: 401 without error (RS-8)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  for (const value of ['Basic eDp5', 'Negotiate abc', 'DPoP abc', 'BearerX abc']) {
    const answer = await server.send({ headers: [['Authorization', value]] });
    assert.deepEqual([answer.status, challengeOf(answer)['error']], [401, undefined], value);
  }
});

test('a token in the query is ignored with a warning, and 400 beside a header (RS-9)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  for (const name of ['access_token', 'access%5Ftoken', '%61ccess_token']) {
    const alone = await server.send({ path: `/mcp?x=1&${name}=${token}` });
    const both = await server.send({ path: `/mcp?${name}=${token}`, token });
    assert.deepEqual([alone.status, challengeOf(alone)['error']], [401, undefined]);
    assert.deepEqual([both.status, challengeOf(both)['error']], [400, 'invalid_request']);
  }
  assert.deepEqual(server.calls, []);
  const warnings = server.events.filter(({ event }) => event === 'token_in_query');
  assert.equal(warnings.length, 1, 'a stranger cannot fill the log');
  assert.ok(!JSON.stringify(server.events).includes(token));
});

test('a token in a form body is never used (RS-9)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const form = {
    headers: [['Content-Type', 'application/x-www-form-urlencoded']] as [string, string][],
    body: `access_token=${token}`,
  };

  const alone = await server.send(form);
  const both = await server.send({ ...form, token });

  assert.deepEqual([alone.status, challengeOf(alone)['error']], [401, undefined]);
  assert.deepEqual([both.status, challengeOf(both)['error']], [400, 'invalid_request']);
  assert.deepEqual(server.calls, []);
});

test('a challenge is printable ASCII, whatever the declaration says (RS-13)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, { realm: 'To-dos\r\nX-Evil: 1 für "alle"' }),
  );
  const answer = await server.send({});
  assert.equal(answer.headers['x-evil'], undefined);
  assert.equal(challengeOf(answer)['realm'], 'To-dosX-Evil: 1 fr "alle"');
});
