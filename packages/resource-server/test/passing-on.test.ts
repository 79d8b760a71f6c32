import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CascadeError,
  cascadeHeaders,
  type McpAuth,
  type McpServerOptions,
  toolScopeCheck,
} from '../src/index.ts';
import { startEntryPoints } from '../src/testing/entry-points.ts';
import { resourceId, scopeClaims, serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, toolCall } from '../src/testing/guarded-server.ts';

const billing = 'https://billing.example.com/mcp';

/** What a handler behind the guard is told about the caller of this token. */
async function callerOf(
  t: Parameters<typeof startFakeIssuer>[0],
  claims: Record<string, unknown>,
  more: Partial<McpServerOptions> = {},
): Promise<McpAuth> {
  const issuer = await startFakeIssuer(t);
  let caller: McpAuth | undefined;
  const [node] = await startEntryPoints(t, declaration(issuer, more), (_, { auth }) => {
    caller = auth;
    return new Response('{}');
  });
  const token = await issuer.token(claims);
  await node?.send({ token, body: toolCall('list_todos') });
  assert.ok(caller);
  return caller;
}

test('a token goes on to a server behind this one only when it was issued for that one too (RS-27)', async (t) => {
  const one = await callerOf(t, {});
  const both = await callerOf(t, { aud: [serverUrl, billing, 'https://other.example', 'res_9'] });
  const refused = (auth: McpAuth, audience: string, url: string): string => {
    try {
      cascadeHeaders(auth, { audience, url });
    } catch (error) {
      assert.ok(error instanceof CascadeError);
      assert.ok(!error.message.includes(auth.token));
      return error.code;
    }
    return 'passed';
  };
  assert.deepEqual(cascadeHeaders(both, { audience: billing, url: `${billing}/x?y=1` }), {
    authorization: `Bearer ${both.token}`,
  });
  const cases: [McpAuth, string, string, string][] = [
    [both, billing, billing, 'passed'],
    [both, 'https://other.example/', 'https://other.example/any/path', 'passed'],
    [both, 'res_9', 'https://nine.example/mcp', 'passed'],
    [one, billing, billing, 'audience_missing'],
    [one, '', billing, 'audience_missing'],
    [both, `${billing}/`, billing, 'audience_missing'],
    [both, billing.toUpperCase(), billing, 'audience_missing'],
    [both, billing, 'https://evil.example/mcp', 'wrong_address'],
    [both, billing, 'https://billing.example.com/mcpx', 'wrong_address'],
    [both, billing, `${billing}/../admin`, 'wrong_address'],
    [both, billing, 'http://billing.example.com/mcp', 'wrong_address'],
    [both, billing, 'https://u:p@billing.example.com/mcp', 'wrong_address'],
    [both, 'res_9', 'http://nine.example/mcp', 'wrong_address'],
    [both, 'res_9', '/mcp', 'wrong_address'],
  ];
  for (const [auth, audience, url, expected] of cases)
    assert.equal(refused(auth, audience, url), expected, `${audience} ${url}`);
});

test('a token that belongs to a key of the client is never handed on (RS-27)', async (t) => {
  const auth = await callerOf(t, { aud: [serverUrl, billing] });
  const claims = { ...auth.extra.claims, cnf: { jkt: 'x' } };
  const bound = { ...auth, extra: { ...auth.extra, claims } };
  assert.throws(
    () => cascadeHeaders(bound, { audience: billing, url: billing }),
    (error) => error instanceof CascadeError && error.code === 'bound_token',
  );
});

test('the library itself sends the token of a caller nowhere (RS-27)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const sent: string[] = [];
  const options = declaration(issuer, {
    proxyAsMetadata: true,
    fetch: (url, init) => {
      sent.push(url, JSON.stringify([...new Headers(init.headers)]), String(init.body ?? ''));
      return fetch(url, init);
    },
  });
  const entries = await startEntryPoints(t, options, () => new Response('{}'));
  const token = await issuer.token();
  for (const entry of entries) {
    assert.equal((await entry.send({ token, body: toolCall('list_todos') })).status, 200);
    await entry.send({ token, path: '/.well-known/oauth-authorization-server' });
  }
  assert.ok(sent.length > 0);
  assert.equal(sent.filter((text) => text.includes(token)).length, 0);
});

test('a check inside a tool says what a 403 would have said, in the result (RS-44)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, { impliedScopes: { 'todo:admin': ['todo:purge'] } });
  const checkScopes = toolScopeCheck(options);
  const entries = await startEntryPoints(t, options, (_, { auth }) => {
    const missing = checkScopes(auth, ['todo:read', 'todo:purge']);
    return Response.json({ jsonrpc: '2.0', id: 1, result: missing ?? { content: [] } });
  });
  for (const entry of entries) {
    const refusedAnswer = await entry.send({
      token: await issuer.token(),
      body: toolCall('list_todos'),
    });
    const { result } = JSON.parse(refusedAnswer.text);
    assert.deepEqual([result.isError, result.content[0].type], [true, 'text'], entry.name);
    assert.equal(result._meta.scope, 'todo:read todo:purge');
    const metadata = 'http://localhost:3333/.well-known/oauth-protected-resource/mcp';
    assert.equal(result._meta.resource_metadata, metadata);
    const [challenge] = result._meta['mcp/www_authenticate'];
    const read = challengeOf({ ...refusedAnswer, headers: { 'www-authenticate': challenge } });
    assert.deepEqual(
      [read['error'], read['scope'], read['resource_metadata']],
      ['insufficient_scope', 'todo:read todo:purge', metadata],
    );
    const token = await issuer.token(scopeClaims('todo:read todo:admin'));
    const allowed = await entry.send({ token, body: toolCall('list_todos') });
    assert.deepEqual(JSON.parse(allowed.text).result, { content: [] }, 'an implied scope counts');
  }
});

test('a check inside a tool refuses a call without a caller (RS-44)', () => {
  const checkScopes = toolScopeCheck({
    environmentUrl: 'https://auth.example.com',
    resourceId,
    serverUrl: 'https://mcp.example.com',
    scopes: ['a', 'b'],
  });
  const missing = checkScopes(undefined, 'a');
  assert.equal(missing?._meta.scope, 'a');
  assert.equal(
    missing?._meta.resource_metadata,
    'https://mcp.example.com/.well-known/oauth-protected-resource',
  );
  assert.ok(checkScopes(undefined, []));
  assert.equal(checkScopes({ scopes: ['a'] }, 'a'), undefined);
  // @ts-expect-error c is not declared
  assert.ok(checkScopes({ scopes: ['a'] }, 'c'));
});
