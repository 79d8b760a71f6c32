import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CATALOGUE, catalogued, displayNameOf } from './catalogue.ts';
import { envelopeOf, eventIdOf, storedIdOf } from './envelope.ts';
import { newSigningSecret, signatureHeader } from './signature.ts';

test('the documentation has every type of the catalogue, with its object and whether it is opt-in (FSA-82)', () => {
  const text = readFileSync(new URL('../../../../docs/events.md', import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => /^\| `[a-z_]+\.[a-z_.]+` \| [A-Z]/.test(line));
  assert.deepEqual(
    rows,
    CATALOGUE.map(
      ({ type, object, optIn }) => `| \`${type}\` | ${object} | ${optIn ? 'yes' : ''} |`,
    ),
  );
  assert.equal(catalogued('token.issued'), undefined);
  assert.equal(displayNameOf('api_key.created'), 'API Key Created');
});

test('roles and permissions name no organization, whosever they are; ids have fifteen digits and lead back (FSA-81)', () => {
  const event = {
    environmentId: 'env_1',
    id: 7n,
    occurredAt: new Date(0),
    organizationId: 'org_1',
    userId: undefined,
    clientId: undefined,
    data: {},
  };
  assert.equal(envelopeOf({ ...event, type: 'role.created' }).organization_id, undefined);
  assert.equal(envelopeOf({ ...event, type: 'organization.created' }).organization_id, 'org_1');
  assert.equal(eventIdOf(7n), 'evt_100000000000007');
  assert.equal(storedIdOf('evt_100000000000007'), 7n);
  for (const id of [
    'evt_99999999999999',
    'evt_',
    'evt_1e15',
    'evt_99999999999999999999',
    'whd_100000000000007',
  ])
    assert.equal(storedIdOf(id), undefined, id);
});

test('a signature is that of the published example of Standard Webhooks, and secrets have no second underscore (FSA-83)', () => {
  const signed = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: new Date(1614265330 * 1000),
    body: '{"test": 2432232314}',
  };
  const header = signatureHeader(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], signed);
  assert.equal(header, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  for (let byte = 0; byte < 256; byte += 1) {
    const secret = newSigningSecret({ random: (length) => new Uint8Array(length).fill(byte) });
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  }
});
