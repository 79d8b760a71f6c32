import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigError,
  environmentClient,
  environmentUrl,
  flag,
  logLevel,
  portNumber,
  secretKeys,
  webhookHosts,
} from './config.ts';

test('the environment URL is https and has one spelling; http only on loopback in development (AS-2, AS-8)', () => {
  assert.equal(
    environmentUrl('https://Auth.Example.com:443/', 'serve'),
    'https://auth.example.com',
  );
  assert.equal(environmentUrl('http://localhost:8080', 'dev'), 'http://localhost:8080');
  for (const [url, mode] of [
    ['http://auth.example.com', 'dev'],
    ['http://localhost:8080', 'serve'],
    ['http://127.0.0.1.nip.io', 'dev'],
    ['https://a.example?x', 'serve'],
    ['https://u@a.example', 'serve'],
    ['https://a.example#x', 'serve'],
    ['https://auth.example.com/base', 'serve'],
    ['auth.example.com', 'serve'],
    ['ftp://localhost', 'dev'],
  ] as const) {
    assert.throws(
      () => environmentUrl(url, mode),
      (error) => error instanceof ConfigError && error.message.includes('GATEWARDEN_URL'),
      url,
    );
  }
});

test('the operator key is base64 of 32 bytes, and an error never repeats it (AS-150, AS-121)', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  assert.equal(secretKeys(`${key},${key}`).length, 2);
  for (const bad of [
    'tooshort',
    `${key}A`,
    '',
    Buffer.alloc(31).toString('base64'),
    `!!!!${key}`,
  ]) {
    assert.throws(
      () => secretKeys(bad),
      (error) =>
        error instanceof ConfigError &&
        error.message.includes('GATEWARDEN_SECRET_KEY') &&
        (bad === '' || !error.message.includes(bad)),
      bad,
    );
  }
});

test('a given environment client has an id of ours and a secret of 32 characters, else the start stops (AS-69)', () => {
  const id = 'skc_123456789012345678';
  assert.deepEqual(
    environmentClient({ GATEWARDEN_CLIENT_ID: id, GATEWARDEN_CLIENT_SECRET: 's'.repeat(32) }),
    { id, secret: 's'.repeat(32) },
  );
  assert.equal(environmentClient({}), undefined);
  const secret = 'short-secret-of-an-operator';
  for (const variables of [
    { GATEWARDEN_CLIENT_ID: id },
    { GATEWARDEN_CLIENT_SECRET: secret },
    { GATEWARDEN_CLIENT_ID: 'skc_1', GATEWARDEN_CLIENT_SECRET: 's'.repeat(32) },
    { GATEWARDEN_CLIENT_ID: id, GATEWARDEN_CLIENT_SECRET: secret },
  ]) {
    assert.throws(
      () => environmentClient(variables),
      (error) => error instanceof ConfigError && !error.message.includes(secret),
    );
  }
});

test('bad values of the other variables are named with what they should hold', () => {
  assert.throws(() => portNumber('PORT', '70000'), /PORT is "70000"/);
  assert.throws(() => flag('GATEWARDEN_ALLOW_TEST_USERS', 'yes'), /should be 1 or 0/);
  assert.throws(() => logLevel('loud'), /LOG_LEVEL is "loud"/);
  assert.equal(portNumber('PORT', '0'), 0);
});

test('GATEWARDEN_WEBHOOK_HOSTS has hosts in the spelling of URLs; anything else stops the start', () => {
  assert.deepEqual(webhookHosts(undefined), []);
  const good = ['billing.internal', '10.0.0.8:8080', '[fd00::8]', 'localhost:3000'];
  assert.deepEqual(webhookHosts(good.join(' , ')), good);
  const bad = [
    'https://a.example',
    'a.example/',
    'A.example',
    'a.example:443',
    '127.1',
    '[FD00::8]',
    'a b',
    '*',
    'a@b',
  ];
  for (const host of bad)
    assert.throws(() => webhookHosts(`a.internal,${host}`), ConfigError, host);
});
