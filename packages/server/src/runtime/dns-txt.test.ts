import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDnsServer } from '../../test/dns-server.ts';
import { ConfigError } from './config.ts';
import { createFindTxt, dnsServers } from './dns-txt.ts';

test('GATEWARDEN_DNS_SERVERS has addresses, with a port where it is not 53; anything else stops the start', () => {
  assert.deepEqual(dnsServers(undefined), []);
  assert.deepEqual(dnsServers(' '), []);
  const good = ['9.9.9.9', '127.0.0.1:5353', '2620:fe::fe', '[2620:fe::fe]:53'];
  assert.deepEqual(dnsServers(good.join(', ')), good);
  for (const bad of [
    'dns.example',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '1.2.3',
    '[::1',
    'https://9.9.9.9',
    '9.9.9.9 8.8.8.8',
  ])
    assert.throws(() => dnsServers(`9.9.9.9,${bad}`), ConfigError, bad);
});

test('a look-up tells what is there from what is not and from no answer', async (t) => {
  const { address, zone } = await startDnsServer(t);
  const find = createFindTxt([address]);
  zone.set('pieces.example', [['one', 'two'], ['three']]);
  zone.set('empty.example', []);
  zone.set('broken.example', 'SERVFAIL');
  assert.deepEqual(await find('pieces.example'), { kind: 'found', texts: ['onetwo', 'three'] });
  assert.deepEqual(await find('PIECES.example'), { kind: 'found', texts: ['onetwo', 'three'] });
  assert.deepEqual(await find('empty.example'), { kind: 'none' });
  assert.deepEqual(await find('nobody.example'), { kind: 'none' });
  assert.deepEqual(await find('broken.example'), { kind: 'failed' });
  assert.deepEqual(await find(`${'a'.repeat(64)}.example`), { kind: 'none' });
  assert.deepEqual(await find(`${'a.'.repeat(126)}com`), { kind: 'none' });
});
