import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOfHost } from './safe-fetch.ts';

const options = {
  allowLoopback: false,
  ownAddresses: () => ['203.0.114.9'],
  resolve: async (name: string) =>
    ({
      'mail.example': ['93.184.216.34'],
      'inside.example': ['10.0.0.1'],
      'mixed.example': ['93.184.216.34', '127.0.0.1'],
      'self.example': ['203.0.114.9'],
      localhost: ['127.0.0.1'],
    })[name] ?? [],
};

test('a host that somebody named leads to a checked address, or nowhere: private, own and mixed answers are refused (AS-73)', async () => {
  assert.deepEqual(await addressOfHost('mail.example', options), { address: '93.184.216.34' });
  for (const host of [
    'inside.example',
    'mixed.example',
    'self.example',
    '10.0.0.1',
    '::1',
    '127.0.0.1',
    'localhost',
  ])
    assert.deepEqual(await addressOfHost(host, options), { refused: 'blocked-address' }, host);
  assert.deepEqual(await addressOfHost('nowhere.example', options), { refused: 'name' });
  const development = { ...options, allowLoopback: true };
  assert.deepEqual(await addressOfHost('localhost', development), { address: '127.0.0.1' });
  assert.deepEqual(await addressOfHost('inside.example', development), {
    refused: 'blocked-address',
  });
});
