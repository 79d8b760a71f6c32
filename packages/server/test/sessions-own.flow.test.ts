import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addPasskey } from '../src/passkeys/passkeys.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Headers, type Person, person } from './every-caller.ts';
import { collectCleanup } from './sign-in-site.ts';

let gatewarden: TestGatewarden;
let ann: Person;
let bob: Person;
const cleanup = collectCleanup();
before(async () => {
  gatewarden = await startTestGatewarden(cleanup);
  const server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  ann = await person(gatewarden, server.id, 'ann+sktest@example.com');
  bob = await person(gatewarden, server.id, 'bob+sktest@example.com');
});
after(cleanup.run);

/** Status of a call that a page of ours makes. */
async function call(
  headers: Headers,
  method: string,
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${gatewarden.origin}/api/v1${path}`, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = (await answer.text()).replace(/req_[a-z0-9]+/, 'REQUEST');
  return { status: answer.status, body: JSON.parse(text) };
}

async function sessionOf({ userId }: Person): Promise<{ id: string; ended: boolean }> {
  const rows = await gatewarden.database.rows<{ id: string; ended: boolean }>(
    sql`select id, ended_at is not null as ended from sessions where user_id = ${userId} order by id desc limit 1`,
  );
  return rows[0] ?? assert.fail('no session');
}

async function passkeyOf({ userId }: Person): Promise<string> {
  const added = await addPasskey(gatewarden.context(), {
    userId,
    credentialId: new Uint8Array(Buffer.from(userId)),
    publicKey: new Uint8Array([1]),
    signCount: 0n,
    attestationType: 'none',
    aaguid: undefined,
    authenticatorName: '',
    attachment: undefined,
    transports: [],
    userPresent: true,
    userVerified: true,
    backupEligible: false,
    backedUp: false,
    displayName: 'Key',
  });
  assert.ok(added.kind === 'added');
  return added.passkey.id;
}

test('people rename and delete their own passkeys; those of others do not exist for them (FSA-32, insecure direct object reference)', async () => {
  const [own, others] = [await passkeyOf(ann), await passkeyOf(bob)];
  const unknown = '/webauthn/credentials/cred_100000000000000000';
  const name = { display_name: 'Mine' };
  const nothing = await call(ann.headers, 'PATCH', unknown, name);
  assert.equal(nothing.status, 404);
  assert.deepEqual(
    await call(ann.headers, 'PATCH', `/webauthn/credentials/${others}`, name),
    nothing,
  );
  const gone = await call(ann.headers, 'DELETE', unknown);
  assert.deepEqual(await call(ann.headers, 'DELETE', `/webauthn/credentials/${others}`), gone);
  assert.equal(gone.status, 404);
  assert.equal(
    (await call(ann.headers, 'PATCH', `/webauthn/credentials/${own}`, name)).status,
    200,
  );
  assert.equal((await call(ann.headers, 'DELETE', `/webauthn/credentials/${own}`)).status, 200);
  const rows = await gatewarden.database.rows<{ id: string; display_name: string }>(
    sql`select id, display_name from passkeys`,
  );
  assert.deepEqual(rows, [{ id: others, display_name: 'Key' }]);
});

test('people end their own sessions; those of others do not exist for them (FSA-41, insecure direct object reference)', async () => {
  const [own, others] = [await sessionOf(ann), await sessionOf(bob)];
  const revoke = (id: string) => call(ann.headers, 'POST', `/sessions/${id}/revoke`);
  const nothing = await revoke('ses_100000000000000000');
  assert.equal(nothing.status, 404);
  assert.deepEqual(await revoke(others.id), nothing);
  await gatewarden.database.rows(
    sql`update sessions set ended_at = now(), ended_because = 'admin' where id = ${others.id}`,
  );
  assert.deepEqual(await revoke(others.id), nothing, 'also when it is over');
  assert.equal((await revoke(own.id)).status, 200);
  assert.equal((await sessionOf(ann)).ended, true);
  assert.equal((await revoke(own.id)).status, 401, 'and with it the right to call');
});
