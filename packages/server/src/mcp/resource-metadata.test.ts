import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { McpServer } from './mcp-servers.ts';
import { protectedResourceMetadataUrl } from './resource-metadata.ts';

const CASES: readonly (readonly [serverUrl: string | undefined, expected: string | undefined])[] = [
  [
    'https://mcp.example.com/mcp',
    'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
  ],
  [
    'https://mcp.example.com/a/b/',
    'https://mcp.example.com/.well-known/oauth-protected-resource/a/b/',
  ],
  ['https://mcp.example.com', 'https://mcp.example.com/.well-known/oauth-protected-resource'],
  ['https://mcp.example.com/', 'https://mcp.example.com/.well-known/oauth-protected-resource'],
  ['http://[::1]:3000/mcp', 'http://[::1]:3000/.well-known/oauth-protected-resource/mcp'],
  [undefined, undefined],
];

for (const [serverUrl, expected] of CASES) {
  test(`the metadata of ${serverUrl ?? 'a server without Server URL'} belongs at ${expected ?? 'no address'} (RFC 9728 section 3.1)`, () => {
    // The function reads this member only.
    assert.equal(protectedResourceMetadataUrl({ serverUrl } as McpServer), expected);
  });
}
