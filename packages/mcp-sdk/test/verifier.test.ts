import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { McpServerOptions } from '@gatewarden/resource-server';
import {
  type FakeIssuer,
  resourceId,
  siblingId,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import { declaration } from '@gatewarden/resource-server/testing/guarded-server';
import {
  type AccessTokenVerifier,
  accessTokenVerifier,
  KeysUnavailableError,
} from '../src/index.ts';

/** What the SDK would tell apart by its class. */
class InvalidToken extends Error {}

async function start(
  t: TestContext,
  more: Partial<McpServerOptions> = {},
): Promise<{ issuer: FakeIssuer; verifier: AccessTokenVerifier }> {
  const issuer = await startFakeIssuer(t);
  const invalidToken = (text: string): Error => new InvalidToken(text);
  return { issuer, verifier: accessTokenVerifier(declaration(issuer, more), { invalidToken }) };
}

test('MCP SDK: a good token becomes AuthInfo with the times the SDK insists on (RS-26)', async (t) => {
  const { issuer, verifier } = await start(t, { baseScopes: ['todo:admin'] });
  const token = await issuer.token();
  assert.partialDeepStrictEqual(await verifier.verifyAccessToken(token), {
    token,
    clientId: 'skc_1',
    scopes: ['todo:read'],
    expiresAt: issuer.claims()['exp'],
    resource: new URL('http://localhost:3333/mcp'),
  });
});

test('MCP SDK: every other token is the SDK’s own error, with a text that repeats nothing of it (RS-12, RS-17, RS-19, AS-145)', async (t) => {
  const { issuer, verifier } = await start(t);
  const tokens = [
    await issuer.token({ aud: siblingId }),
    await issuer.token({ exp: 1 }),
    await issuer.token({ nonce: 'n', client_id: undefined }, { typ: 'JWT' }),
    await issuer.token({ aud: resourceId }, { typ: 'logout+jwt' }),
    `${(await issuer.token()).slice(0, -4)}AAAA`,
    'opaque',
    '',
    'two words',
    'line\r\nX-Injected: yes',
    'x'.repeat(100_000),
  ];
  for (const token of tokens) {
    await assert.rejects(verifier.verifyAccessToken(token), (error) => {
      assert.ok(error instanceof InvalidToken);
      assert.match(error.message, /^[\x20-\x7e]{10,120}$/);
      assert.ok(token.length < 5 || !error.message.includes(token));
      return true;
    });
  }
});

test('MCP SDK: keys that cannot be fetched are never the token’s fault (RS-31)', async (t) => {
  const { issuer, verifier } = await start(t);
  issuer.answer = (response) => response.writeHead(503).end();
  const token = await issuer.token();
  await assert.rejects(verifier.verifyAccessToken(token), (error) => {
    assert.ok(error instanceof KeysUnavailableError && !(error instanceof InvalidToken));
    assert.ok(error.retryAfterSeconds >= 1);
    return true;
  });
});

test('MCP SDK: a token bound to a key does not pass as a bearer token where DPoP is asked for (RS-54)', async (t) => {
  const { issuer, verifier } = await start(t, { dpop: 'required' });
  await assert.rejects(verifier.verifyAccessToken(await issuer.token()));
  const bound = await issuer.token({ cnf: { jkt: 'x' } });
  await assert.rejects(verifier.verifyAccessToken(bound));
});
