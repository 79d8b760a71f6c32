import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  hasPath,
  isAtOrBelow,
  isLoopbackResource,
  isReservedAudience,
  resourceKey,
  serverUrlProblem,
} from './resource-indicator.ts';

const production = {
  id: 'env_123456789012345678',
  url: 'https://auth.example.com',
  kind: 'PRODUCTION',
} as const;

test('two spellings of one resource have one key: case, default port, one trailing slash (AS-36, RFC 8707)', () => {
  for (const spelling of [
    'https://MCP.example.com/mcp',
    'HTTPS://mcp.example.com/mcp',
    'https://mcp.example.com:443/mcp',
    'https://mcp.example.com/mcp/',
  ]) {
    assert.equal(resourceKey(spelling), 'https://mcp.example.com/mcp', spelling);
  }
  assert.equal(resourceKey('https://mcp.example.com'), resourceKey('https://mcp.example.com/'));
  assert.notEqual(
    resourceKey('https://mcp.example.com/mcp'),
    resourceKey('https://mcp.example.com/MCP'),
  );
  assert.notEqual(
    resourceKey('https://mcp.example.com:8443/mcp'),
    resourceKey('https://mcp.example.com/mcp'),
  );
});

for (const value of [
  'https://user@mcp.example.com/mcp',
  'https://mcp.example.com/mcp?x=1',
  'https://mcp.example.com/mcp#x',
  'https://mcp.example.com/a/../mcp',
  'https://mcp.example.com/./mcp',
  'https://mcp.example.com/%2e%2e/mcp',
  'https://mcp.example.com/a%2fmcp',
  'https://mcp.example.com/a%5Cmcp',
  'https://mcp.example.com\\mcp',
  'https://mcp.exämple.com/mcp',
  'https://mcp.example.com./mcp',
  'https://mcp.example.com/mcp\u0001',
  'https://mcp.example.com:0/mcp',
  'https://mcp.example.com:99999/mcp',
  'http://mcp.example.com/mcp',
  'ftp://mcp.example.com/mcp',
  'mcp.example.com/mcp',
  'https:///mcp',
  '',
]) {
  test(`${JSON.stringify(value)} never matches a resource (AS-35, AS-36)`, () => {
    assert.equal(resourceKey(value), undefined);
  });
}

test('below means a segment boundary: /mcp does not cover /mcpx (AS-36)', () => {
  assert.ok(isAtOrBelow('https://h/mcp/a', 'https://h/mcp'));
  assert.ok(isAtOrBelow('https://h/mcp', 'https://h/mcp'));
  assert.ok(!isAtOrBelow('https://h/mcpx', 'https://h/mcp'));
  assert.ok(!isAtOrBelow('https://h.evil/mcp', 'https://h'));
  assert.ok(hasPath('https://h/mcp') && !hasPath('https://h'));
});

test('a Server URL is https, elsewhere than the environment, and plain (AS-148)', () => {
  assert.equal(serverUrlProblem('https://mcp.example.com/mcp', production), undefined);
  assert.match(serverUrlProblem('http://localhost:3002/mcp', production) ?? '', /development/);
  assert.equal(
    serverUrlProblem('http://localhost:3002/mcp', { ...production, kind: 'DEVELOPMENT' }),
    undefined,
  );
  assert.match(
    serverUrlProblem('https://AUTH.example.com:443/mcp', production) ?? '',
    /own origin/,
  );
  for (const bad of [
    'https://mcp.example.com/mcp?x',
    'https://u@mcp.example.com/',
    'https://mcp.example.com/a/../b',
    'http://mcp.example.com/mcp',
  ])
    assert.ok(serverUrlProblem(bad, production), bad);
});

test('no configured audience may claim to be the environment, a server, a client or a person (AS-148)', () => {
  for (const value of [
    'https://auth.example.com',
    'https://auth.example.com/api',
    'https://AUTH.example.com:443/api',
    production.id,
    'res_123',
    'skc_1',
    'm2m_1',
    'm2morg_1',
    'usr_1',
  ])
    assert.ok(isReservedAudience(value, production), value);
  for (const value of ['https://api.example.com', 'my-api', 'https://auth.example.com.evil/api'])
    assert.ok(!isReservedAudience(value, production), value);
});

test('loopback resources are told by host, not by prefix (AS-38)', () => {
  assert.ok(
    isLoopbackResource('http://localhost:3002/mcp') &&
      isLoopbackResource('https://127.0.0.1/mcp') &&
      isLoopbackResource('http://[::1]:9/x'),
  );
  assert.ok(
    !isLoopbackResource('https://localhost.evil.example/mcp') &&
      !isLoopbackResource('http://127.0.0.1.nip.io/mcp'),
  );
});
