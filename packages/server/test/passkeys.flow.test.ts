import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebAuthnService } from '@gatewarden/contract/scalekit/v1/auth/webauthn_pb';
import { addPasskey } from '../src/passkeys/passkeys.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { managementApi, member, members, ok, protocols, type Step } from './management-api.ts';
import { collectCleanup } from './sign-in-site.ts';

const { method: w } = WebAuthnService;
const steps = {
  list: (userId: string): Step => ({
    method: w.listCredentials,
    input: { user_id: userId },
    rest: ['GET', `/webauthn/credentials?user_id=${userId}`],
  }),
  update: (id: string, displayName: string): Step => ({
    method: w.updateCredential,
    input: { credential_id: id, display_name: displayName },
    rest: ['PATCH', `/webauthn/credentials/${id}`, { display_name: displayName }],
  }),
  delete: (id: string): Step => ({
    method: w.deleteCredential,
    input: { credential_id: id },
    rest: ['DELETE', `/webauthn/credentials/${id}`],
  }),
};

const NOBODY = 'usr_100000000000000000';
const NOTHING = 'cred_100000000000000000';

let gatewarden: TestGatewarden;
const cleanup = collectCleanup();
before(async () => {
  gatewarden = await startTestGatewarden(cleanup);
});
after(cleanup.run);

let people = 0;
async function person(environmentId = gatewarden.environment.id): Promise<string> {
  people += 1;
  const id = `usr_${200000000000000000n + BigInt(people)}`;
  await gatewarden.database.rows(sql`
    insert into users (environment_id, id, email, email_key, revocation_secret, created_at, updated_at)
    values (${environmentId}, ${id}, ${`${id}@example.com`}, ${`${id}@example.com`}, ${new Uint8Array(32)}, now(), now())`);
  return id;
}

/** As a registration leaves it, made on a Mac. */
async function passkey(userId: string, name: string, credential = `${userId} ${name}`) {
  const ctx = gatewarden.context();
  const userAgent =
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15';
  return await addPasskey(
    { ...ctx, network: { address: '192.0.2.7', userAgent } },
    {
      userId,
      credentialId: new Uint8Array(Buffer.from(credential)),
      publicKey: new Uint8Array([1, 2, 3]),
      signCount: 0n,
      attestationType: 'none',
      aaguid: 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd',
      authenticatorName: 'iCloud Keychain',
      attachment: 'platform',
      transports: ['internal', 'hybrid'],
      userPresent: true,
      userVerified: true,
      backupEligible: true,
      backedUp: false,
      displayName: name,
    },
  );
}

for (const protocol of protocols)
  test(`over ${protocol} passkeys of a person are listed, renamed and deleted, and browsers are told which still count (FSA-32)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const userId = await person();
    assert.deepEqual(members(ok(await api(steps.list(userId))), 'credentials'), []);
    await passkey(userId, 'Laptop');
    await passkey(userId, 'Phone');
    const listed = ok(await api(steps.list(userId)));
    const [phone, laptop] = members(listed, 'credentials');
    const id = String(laptop?.['id']);
    const base64 = Buffer.from(`${userId} Laptop`).toString('base64');
    const { created_at: created, updated_at: updated, ...rest } = laptop ?? {};
    assert.equal(created, updated);
    assert.deepEqual(rest, {
      id,
      user_id: userId,
      credential_id: base64,
      attestation_type: 'none',
      authenticator: {
        aaguid: 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd',
        name: 'iCloud Keychain',
        attachment: 'platform',
      },
      transports: ['internal', 'hybrid'],
      authenticator_flags: { user_present: true, user_verified: true, backup_eligible: true },
      user_agent: {
        raw: member(laptop ?? {}, 'user_agent')['raw'],
        browser: 'Safari',
        browser_version: '18.5',
        os: 'macOS',
        os_version: '10.15.7',
        device_type: 'Desktop',
        device_model: 'Mac',
      },
      client_info: { ip: '192.0.2.7' },
      display_name: 'Laptop',
    });
    const encoded = (name: string) => Buffer.from(`${userId} ${name}`).toString('base64url');
    const rpId = new URL(gatewarden.url).hostname;
    assert.deepEqual(member(listed, 'all_accepted_credentials_options'), {
      rp_id: rpId,
      user_id: Buffer.from(userId).toString('base64url'),
      all_accepted_credential_ids: [encoded('Phone'), encoded('Laptop')],
    });
    const renamed = member(ok(await api(steps.update(id, 'Work laptop'))), 'credential');
    assert.equal(renamed['display_name'], 'Work laptop');
    const deleted = ok(await api(steps.delete(id)));
    assert.deepEqual(deleted, {
      success: true,
      unknown_credential_options: { rp_id: rpId, credential_id: encoded('Laptop') },
    });
    assert.deepEqual(
      members(ok(await api(steps.list(userId))), 'credentials').map((one) => one['id']),
      [phone?.['id']],
    );
    for (const [step, code] of [
      [steps.delete(id), 5],
      [steps.update(id, 'x'), 5],
      [steps.update(NOTHING, 'x'), 5],
      [steps.update(String(phone?.['id']), ''), 3],
      [steps.update(String(phone?.['id']), 'x'.repeat(121)), 3],
      [steps.update('x', 'x'), 3],
      [steps.delete('x'), 3],
      [steps.list(NOBODY), 5],
      [steps.list('x'), 3],
      [steps.list(''), 3],
    ] as const)
      assert.equal((await api(step)).code, code, JSON.stringify(step.rest));
    const events = await gatewarden.database.rows<{ type: string }>(
      sql`select type from events where user_id = ${userId} and type like 'passkey.%' order by id`,
    );
    assert.deepEqual(
      events.map(({ type }) => type),
      ['passkey.added', 'passkey.added', 'passkey.renamed', 'passkey.deleted'],
    );
  });

test('a credential is one person’s, and of at most a hundred; it goes with them (FSA-67, credential theft)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [one, other] = [await person(), await person()];
  assert.equal((await passkey(one, 'first', 'shared')).kind, 'added');
  assert.equal((await passkey(other, 'second', 'shared')).kind, 'known');
  for (let index = 1; index < 100; index += 1)
    assert.equal((await passkey(one, String(index))).kind, 'added');
  assert.equal((await passkey(one, 'one more')).kind, 'too-many');
  await gatewarden.database.rows(sql`delete from users where id = ${one}`);
  assert.equal((await api(steps.list(one))).code, 5);
  assert.equal((await passkey(other, 'second', 'shared')).kind, 'added');
});

test('passkeys of another environment are not found (FSA-1)', async (t) => {
  const api = await managementApi(t, gatewarden);
  await gatewarden.database.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values ('env_9', 'https://other.example', '', 'DEVELOPMENT', now())`,
  );
  const mine = await person();
  const added = await passkey(mine, 'Mine');
  assert.ok(added.kind === 'added');
  const foreign = await person('env_9');
  await gatewarden.database.rows(
    sql`update passkeys set environment_id = 'env_9', user_id = ${foreign} where id = ${added.passkey.id}`,
  );
  for (const step of [
    steps.list(foreign),
    steps.update(added.passkey.id, 'x'),
    steps.delete(added.passkey.id),
  ])
    assert.equal((await api(step)).code, 5, step.method.name);
});

test('/.well-known/webauthn names the origins that the environment vouches for, and nothing that is not an https origin', async () => {
  const ask = async () => {
    const answer = await fetch(`${gatewarden.origin}/.well-known/webauthn`);
    assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
    return await answer.json();
  };
  assert.deepEqual(await ask(), {});
  const origins = ['https://app.example', 'http://app.example', 'https://app.example/path', 'x'];
  const settings = { webauthn: { rp: { ids: ['app.example'], origins } } };
  await gatewarden.database.rows(sql`
    insert into connections (environment_id, id, type, provider, provider_key, enabled, status, settings, created_at, updated_at)
    values (${gatewarden.environment.id}, 'conn_900000000000000000', 'WEBAUTHN', 'PASSKEY', 'PASSKEY', true, 'COMPLETED', ${JSON.stringify(settings)}::jsonb, now(), now())`);
  assert.deepEqual(await ask(), { origins: ['https://app.example'] });
});
