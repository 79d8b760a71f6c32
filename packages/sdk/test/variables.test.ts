import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import { ConfigurationError, Gatewarden, validateToken } from '../src/index.ts';

const names = ['ENVIRONMENT_URL', 'ENV_URL', 'CLIENT_ID', 'CLIENT_SECRET'].flatMap((name) => [
  `GATEWARDEN_${name}`,
  `SCALEKIT_${name}`,
]);
let before: Record<string, string | undefined>;
beforeEach(() => {
  before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  for (const name of names) delete process.env[name];
});
afterEach(() => {
  for (const name of names) {
    const value = before[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

test('without arguments the variables count, ours before those of Scalekit (RS-28)', async (t) => {
  const issuer = await startFakeIssuer(t);
  issuer.clock.now = new Date();
  process.env['SCALEKIT_ENVIRONMENT_URL'] = issuer.url;
  process.env['SCALEKIT_CLIENT_ID'] = 'skc_of_scalekit';
  await validateToken(await issuer.token());
  const client = new Gatewarden();
  assert.deepEqual([client.environmentUrl, client.clientId], [issuer.url, 'skc_of_scalekit']);
  await client.validateToken(await issuer.token());

  process.env['GATEWARDEN_ENVIRONMENT_URL'] = 'https://ours.example.com';
  process.env['GATEWARDEN_CLIENT_ID'] = 'skc_ours';
  const ours = new Gatewarden();
  assert.deepEqual([ours.environmentUrl, ours.clientId], ['https://ours.example.com', 'skc_ours']);
  const given = new Gatewarden(issuer.url, 'skc_given');
  assert.deepEqual([given.environmentUrl, given.clientId], [issuer.url, 'skc_given']);
});

test('a client that knows no environment, or one that cannot be trusted, is not made (RS-28)', async () => {
  const fails = (make: () => unknown, code: string): void =>
    assert.throws(make, (error) => error instanceof ConfigurationError && error.code === code);
  fails(() => new Gatewarden(), 'missing_issuer');
  process.env['GATEWARDEN_ENVIRONMENT_URL'] = '';
  fails(() => new Gatewarden(undefined, 'skc_1', 'secret'), 'missing_issuer');
  for (const url of ['http://auth.example.com', 'auth.example.com', 'https://a:b@auth.example.com'])
    fails(() => new Gatewarden(url, 'skc_1', 'secret'), 'invalid_url');
  const options = [{ algorithms: [] }, { clockSkewSeconds: 301 }, { keys: {} }];
  for (const one of options)
    fails(
      () => new Gatewarden('https://auth.example.com', 'skc_1', 'secret', one),
      'invalid_option',
    );
  await assert.rejects(validateToken('x'), { code: 'missing_issuer' });
});
