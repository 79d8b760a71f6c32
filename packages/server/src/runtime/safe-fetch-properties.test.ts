import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import { seededChance } from '../testing/chance.ts';
import { addressKey, isLoopback, isPublicAddress } from './safe-fetch-address.ts';
import { fetchUrlProblem } from './safe-fetch-url.ts';

// The special-purpose registries of IANA, and what AS-73 names besides; read independently of the library that the code uses.
const IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const IPV6 = [
  '::/8',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '100:0:0:1::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '2620:4f:8000::/48',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  '4000::/2',
  '8000::/1',
];

function v4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 0xffn)).join('.');
}

function v6(value: bigint): string {
  return Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  ).join(':');
}

function numberOf(text: string): bigint {
  if (!text.includes(':'))
    return text.split('.').reduce((all, part) => (all << 8n) | BigInt(part), 0n);
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce(
    (all, group) => (all << 16n) | BigInt(`0x${group}`),
    0n,
  );
}

type Block = { from: bigint; to: bigint };
function blockOf(cidr: string, bits: bigint): Block {
  const [base = '', length = ''] = cidr.split('/');
  const size = 1n << (bits - BigInt(length));
  const from = (numberOf(base) / size) * size;
  return { from, to: from + size - 1n };
}
const blocks4 = IPV4.map((cidr) => blockOf(cidr, 32n));
const blocks6 = IPV6.map((cidr) => blockOf(cidr, 128n));
const within = (blocks: readonly Block[], value: bigint) =>
  blocks.some(({ from, to }) => value >= from && value <= to);

test('no address of a special-purpose block is public, at the edges of each block and anywhere in it; its neighbours are judged by themselves (AS-73)', () => {
  const chance = seededChance(73);
  for (const [blocks, write, most] of [
    [blocks4, v4, (1n << 32n) - 1n],
    [blocks6, v6, (1n << 128n) - 1n],
  ] as const) {
    for (const { from, to } of blocks) {
      const inside = [
        from,
        from + 1n,
        to,
        to - 1n,
        ...Array.from(
          { length: 20 },
          () => from + (BigInt(chance(2 ** 31)) * (to - from)) / 2_147_483_648n,
        ),
      ];
      for (const value of inside) assert.equal(isPublicAddress(write(value)), false, write(value));
      for (const value of [from - 1n, to + 1n].filter((near) => near >= 0n && near <= most))
        if (within(blocks, value)) assert.equal(isPublicAddress(write(value)), false, write(value));
    }
  }
});

test('addresses at random are public only outside of all special-purpose blocks, in every spelling of them (AS-73, disguised address)', () => {
  const chance = seededChance(6890);
  let open = 0;
  for (let round = 0; round < 3000; round += 1) {
    const value = BigInt(chance(65_536)) * 65_536n + BigInt(chance(65_536));
    const text = v4(value);
    const isOpen = isPublicAddress(text);
    if (isOpen) open += 1;
    assert.equal(isOpen, !within(blocks4, value), text);
    const mapped = `::ffff:${text}`;
    assert.deepEqual(
      [isPublicAddress(mapped), isPublicAddress(v6((0xffffn << 32n) | value)), addressKey(mapped)],
      [isOpen, isOpen, addressKey(text)],
      mapped,
    );
    // 6to4, NAT64 and the deprecated compatible form are refused whatever is inside.
    for (const dressed of [v6((0x2002n << 112n) | (value << 80n)), `64:ff9b::${text}`, v6(value)])
      assert.equal(isPublicAddress(dressed), false, dressed);
    for (const odd of [
      `${text}.`,
      `0${text}`,
      ` ${text}`,
      `${text}%eth0`,
      `0x${value.toString(16)}`,
      String(value),
    ])
      assert.equal(isPublicAddress(odd), false, odd);
  }
  assert.ok(open > 1500);
  for (let round = 0; round < 2000; round += 1) {
    const value = Array.from({ length: 8 }, () => BigInt(chance(65_536))).reduce(
      (all, group) => (all << 16n) | group,
      0n,
    );
    const global = (1n << 125n) | (value & ((1n << 125n) - 1n)); // 2000::/3
    assert.equal(isPublicAddress(v6(global)), !within(blocks6, global), v6(global));
    assert.equal(isPublicAddress(v6(value)) && within(blocks6, value), false, v6(value));
    assert.ok(isIPv6(v6(value)));
    assert.equal(isPublicAddress(`${v6(global)}%1`), false);
  }
  assert.deepEqual(
    ['127.0.0.1', '::1', '::ffff:127.0.0.1', '127.1', '0.0.0.0', '::'].map(isLoopback),
    [true, true, false, false, false, false],
  );
});

test('a URL that may be fetched reads the same to every parser and names a host on port 443 (AS-70, AS-73, parser differential)', () => {
  const chance = seededChance(70);
  const pieces = [
    ['https://', 'HTTPS://', 'http://', 'https:\\\\', 'https:/', '//'],
    ['', '', '', 'user@', 'a:b@', '%40', '@'],
    [
      'client.example',
      'client.example',
      'Client.example',
      'client.example.',
      'client..example',
      '10.0.0.1',
      '0x7f.0.0.1',
      '2130706433',
      '[::1]',
      '[::ffff:10.0.0.1]',
      '[fe80::1%25lo]',
      'localhost',
      'a.localhost',
      'localhost.',
      'xn--a.example',
      'client.example%2eevil.example',
      'client。example',
      'example',
      '1.2.3.4.example',
      'foo.0x10',
    ],
    ['', '', '', ':443', ':80', ':8443', ':0443', ':', ':99999'],
    [
      '/id',
      '/',
      '',
      '/a/../id',
      '/%2e%2E/id',
      '/.%2e/id',
      '/a\\b',
      '/a b',
      '/a\tb',
      '/a\nb',
      '//evil.example/id',
      '/@evil.example',
    ],
    ['', '', '?x=1', '#', '#f', '?a#b'],
  ];
  let accepted = 0;
  for (let round = 0; round < 30_000; round += 1) {
    const text = pieces.map((list) => list[chance(2) === 0 ? 0 : chance(list.length)]).join('');
    if (fetchUrlProblem(text, { allowLoopback: false }) !== undefined) continue;
    accepted += 1;
    const url = new URL(text);
    assert.ok(text.startsWith(`https://${url.hostname}`), text);
    assert.deepEqual(
      [url.protocol, url.port, url.username, url.password, url.hash],
      ['https:', '', '', '', ''],
      text,
    );
    assert.match(url.hostname, /^[a-z0-9-]+(\.[a-z0-9_-]+)+$/, text);
    assert.doesNotMatch(url.hostname, /^[0-9.]+$|(^|\.)localhost$/, text);
    assert.doesNotMatch(text, /\\|\.\.|%2e%2e/i, text);
  }
  assert.ok(accepted > 500, `only ${accepted} were accepted`);
});
