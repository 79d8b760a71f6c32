import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines, sql } from '@gatewarden/server/testing';
import { vendorSite } from './vendor-site.ts';

async function refusedAs(name: string, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error);
  assert.equal(error.constructor.name, name, error.message);
}

const NOT_FOUND = 'ScalekitNotFoundException';
const BAD_REQUEST = 'ScalekitBadRequestException';
const USER = 'usr_200000000000000000';
const PASSKEY = 'cred_200000000000000000';

for (const engine of engines)
  test(`the vendor's unchanged SDK lists, renames and deletes passkeys (contract: WebAuthnService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const { database, environment } = gatewarden;
    const bytes = new Uint8Array(Buffer.from('credential'));
    await database.rows(sql`
      insert into users (environment_id, id, email, email_key, revocation_secret, created_at, updated_at)
      values (${environment.id}, ${USER}, 'vendor@example.com', 'vendor@example.com', ${bytes}, now(), now())`);
    await database.rows(sql`
      insert into passkeys (environment_id, id, user_id, credential_id, public_key, authenticator_name, created_at, updated_at)
      values (${environment.id}, ${PASSKEY}, ${USER}, ${bytes}, ${bytes}, 'Key', now(), now())`);
    const listed = await sdk.webauthn.listCredentials(USER);
    const [credential] = listed.credentials;
    assert.deepEqual([credential?.id, credential?.userId], [PASSKEY, USER]);
    assert.equal(credential?.authenticator?.name, 'Key');
    assert.deepEqual(listed.allAcceptedCredentialsOptions?.allAcceptedCredentialIds, [
      Buffer.from(bytes).toString('base64url'),
    ]);
    const renamed = await sdk.webauthn.updateCredential(PASSKEY, 'Laptop');
    assert.equal(renamed.credential?.displayName, 'Laptop');
    await refusedAs(BAD_REQUEST, sdk.webauthn.updateCredential(PASSKEY, 'x'.repeat(121)));
    const deleted = await sdk.webauthn.deleteCredential(PASSKEY);
    assert.equal(deleted.success, true);
    assert.equal(
      deleted.unknownCredentialOptions?.credentialId,
      Buffer.from(bytes).toString('base64url'),
    );
    await refusedAs(NOT_FOUND, sdk.webauthn.deleteCredential(PASSKEY));
    await refusedAs(NOT_FOUND, sdk.webauthn.updateCredential(PASSKEY, 'Laptop'));
    await refusedAs(NOT_FOUND, sdk.webauthn.listCredentials('usr_100000000000000000'));
    assert.deepEqual((await sdk.webauthn.listCredentials(USER)).credentials, []);
  });
