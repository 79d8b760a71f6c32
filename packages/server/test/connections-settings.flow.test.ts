import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { clientSecretOf } from '../src/sso/connections.ts';
import {
  sql,
  startTestGatewarden,
  type TestGatewarden,
  tellExpiringCertificates,
} from '../src/testing.ts';
import {
  connectionSteps,
  customer,
  environmentConnectionSteps as environment,
  newConnection,
  OIDC_CONFIG,
} from './connection-steps.ts';
import { EC_NAMELESS, EC_P112, EC_P256, RSA_1024, RSA_2048 } from './idp-certificates.ts';
import { type Api, managementApi, member, ok, type Step } from './management-api.ts';

const NOTHING = 'conn_123456789012345678';
const INVALID = 3;

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function connection(api: Api, step: Step): Promise<JsonObject> {
  return member(ok(await api(step)), 'connection');
}

test('a SAML connection takes a pasted certificate in any form, and shows what it read (SSO-7, SSO-21)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const made = await newConnection(api, organizationId, {
    provider_key: 'SHIBBOLETH',
    type: 'SAML',
  });
  assert.deepEqual([made['provider'], made['provider_key']], ['CUSTOM', 'SHIBBOLETH']);
  const id = String(made['id']);
  const base = `${gatewarden.url}/sso/v1/saml/${id}`;
  const urls = {
    sp_entity_id: base,
    sp_metadata_url: base,
    sp_assertion_url: `${base}/callback`,
    sp_slo_url: `${base}/slo/callback`,
  };
  assert.deepEqual(made['saml_config'], urls);
  const update = async (saml_config: JsonObject) =>
    await api(own.update(id, { provider_key: 'SHIBBOLETH', provider: 'CUSTOM', saml_config }));
  const changed = async (config: JsonObject) => member(ok(await update(config)), 'connection');
  const settings = {
    idp_entity_id: 'urn:acme:idp',
    idp_sso_url: 'https://idp.acme.example/sso',
    idp_name_id_format: 'EMAIL',
    idp_sso_request_binding: 'HTTP_REDIRECT',
    saml_signing_option: 'SAML_ONLY_ASSERTION_SIGNING',
    want_request_signed: true,
    force_authn: false,
  };
  const named = await changed(settings);
  assert.deepEqual(
    [named['status'], named['saml_config']],
    ['IN_PROGRESS', { ...settings, ...urls }],
  );
  const bare = RSA_2048.replace(/-----[A-Z ]+-----/g, '');
  const indented = RSA_2048.replace(/^/gm, '    ');
  for (const text of [
    RSA_2048,
    bare,
    indented,
    RSA_2048.replaceAll('\n', '\r\n'),
    `${RSA_2048}${RSA_2048}`,
  ]) {
    const { status, saml_config } = await changed({ idp_certificate: text });
    const [certificate, ...others] = (saml_config as { idp_certificates: JsonObject[] })
      .idp_certificates;
    assert.deepEqual([status, others], ['COMPLETED', []]);
    assert.match(String(certificate?.['id']), /^cert_[0-9]{15,19}$/);
    assert.match(String(certificate?.['issuer']), /CN=Identity Provider 2048/);
    assert.equal(certificate?.['certificate'], RSA_2048);
    assert.match(String(certificate?.['expiry_time']), /^21\d\d-/);
  }
  const both = await changed({ idp_certificate: `${RSA_2048}\n${EC_P256}` });
  const { idp_certificates } = both['saml_config'] as { idp_certificates: JsonObject[] };
  assert.equal(new Set(idp_certificates.map((one) => one['id'])).size, 2);
  const refused: JsonObject[] = [
    ...[
      'not a certificate',
      RSA_1024,
      `${RSA_2048} and more`,
      RSA_2048.replace('MII', 'AAA'),
      'A'.repeat(70_000),
    ].map((idp_certificate) => ({ idp_certificate })),
    { idp_certificate: RSA_2048.repeat(11) },
    { saml_signing_option: 'NO_SIGNING' },
    { certificate_id: 'cer_123456789012345' },
    { sp_assertion_url: 'https://evil.example/acs' },
    { idp_entity_id: 'a\u0000b' },
    { idp_entity_id: 'x'.repeat(2049) },
  ];
  for (const config of refused) {
    const answer = await update(config);
    const [field] = Object.keys(config);
    assert.deepEqual(
      [answer.code, answer.fields],
      [INVALID, [`connection.saml_config.${field}`]],
      JSON.stringify(config).slice(0, 80),
    );
  }
  assert.deepEqual((await connection(api, own.get(id)))['saml_config'], both['saml_config']);
  const none = await changed({ idp_certificate: '', idp_entity_id: '' });
  assert.equal(none['status'], 'IN_PROGRESS');
  assert.equal((none['saml_config'] as JsonObject)['idp_entity_id'], undefined);
});

/** The same certificate with other bytes where its validity begins and ends. */
function dated(from: string, to: string): string {
  const der = new X509Certificate(EC_P256).raw;
  const at = der.indexOf(Buffer.from([0x17, 0x0d])) + 2;
  der.write(from, at, 'latin1');
  der.write(to, der.indexOf(Buffer.from([0x18, 0x0f]), at) + 2, 'latin1');
  return der.toString('base64');
}

test('an attacker who sends a crafted certificate breaks neither the call nor what reads it later (SSO-18, SSO-21)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const kind = { provider: 'OKTA', type: 'SAML' };
  const id = String((await newConnection(api, organizationId, kind))['id']);
  const update = async (idp_certificate: string) =>
    await api(own.update(id, { ...kind, saml_config: { idp_certificate } }));
  const good = ['261121175423Z', '21261028175423Z'] as const;
  assert.equal((await update(dated(...good))).code, 0);
  for (const certificate of [
    dated('aaaaaaaaaaaaZ', good[1]),
    dated(good[0], 'aaaaaaaaaaaaaaZ'),
    dated(good[0], '20260230000000Z'),
    dated('260230000000Z', good[1]),
    dated('\0'.repeat(13), good[1]),
    EC_P112,
  ]) {
    const { code, fields } = await update(certificate);
    assert.deepEqual([code, fields], [INVALID, ['connection.saml_config.idp_certificate']]);
  }
  const nameless = member(ok(await update(EC_NAMELESS)), 'connection')['saml_config'];
  const [shown] = (nameless as { idp_certificates: JsonObject[] }).idp_certificates;
  assert.equal(shown?.['issuer'] ?? '', '');
  ok(await api(own.get(id)));
  await tellExpiringCertificates(gatewarden.context());
});

test('identity providers are reached by https, in debugging also by http, and never with user info (SSO-7)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const id = String((await newConnection(api, organizationId))['id']);
  const base = { provider: 'OKTA', type: 'OIDC' };
  const issuer = async (value: string, more: JsonObject = {}) =>
    await api(own.update(id, { ...base, ...more, oidc_config: { issuer: value } }));
  for (const address of [
    'http://idp.example',
    'https://user:pass@idp.example',
    'ftp://idp.example',
    'javascript:alert(1)',
    'https://',
    'https://idp.example/#x',
    'https://idp.example/\u0000',
    'https://i dp.example',
    '//idp.example',
    `https://idp.example/${'a'.repeat(2048)}`,
  ]) {
    const answer = await issuer(address);
    assert.deepEqual(
      [answer.code, answer.fields],
      [INVALID, ['connection.oidc_config.issuer']],
      address,
    );
  }
  ok(await issuer('http://idp.example', { debug_enabled: true }));
  const back = await api(own.update(id, { ...base, debug_enabled: false }));
  assert.deepEqual([back.code, back.fields], [INVALID, ['connection.oidc_config.issuer']]);
  ok(await issuer('https://idp.example', { debug_enabled: false }));
  ok(await issuer('http://localhost:9000/idp'));
});

test('a change of a connection names what changes: all else stays, pairs of the mapping come together, type and provider are fixed', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const id = String((await newConnection(api, organizationId))['id']);
  const base = { provider: 'OKTA', type: 'OIDC' };
  const update = async (members: JsonObject) => await api(own.update(id, { ...base, ...members }));
  const mapping = { email: 'mail', given_name: 'givenName' };
  ok(
    await update({
      oidc_config: OIDC_CONFIG,
      attribute_mapping: mapping,
      ui_button_title: 'Acme',
      configuration_type: 'DISCOVERY',
      key_id: 'acme',
    }),
  );
  const next = member(ok(await update({ oidc_config: { pkce_enabled: true } })), 'connection');
  assert.deepEqual(next['attribute_mapping'], mapping);
  assert.deepEqual(
    [next['ui_button_title'], next['configuration_type'], next['key_id'], next['status']],
    ['Acme', 'DISCOVERY', 'acme', 'COMPLETED'],
  );
  const replaced = member(ok(await update({ attribute_mapping: { email: 'upn' } })), 'connection');
  assert.deepEqual(replaced['attribute_mapping'], { email: 'upn' });
  const unchanged = member(ok(await update({})), 'connection');
  assert.equal(
    unchanged['update_time'],
    replaced['update_time'],
    'a change that names nothing leaves no trace',
  );
  const pairs = Object.fromEntries(Array.from({ length: 31 }, (_, index) => [`a${index}`, 'b']));
  const refused: JsonObject[] = [
    { attribute_mapping: pairs },
    { attribute_mapping: { email: 'x'.repeat(257) } },
    { type: 'SAML' },
    { provider: 'GOOGLE' },
    { provider: 'SCALEKIT' },
    { saml_config: { idp_entity_id: 'x' } },
    { oidc_config: { scopes: Array.from({ length: 101 }, () => 'openid') } },
    { ui_button_title: 'x'.repeat(257) },
    { key_id: 'x'.repeat(301) },
  ];
  for (const members of refused)
    assert.equal((await update(members)).code, INVALID, JSON.stringify(members).slice(0, 60));
  assert.equal(
    (await api(own.update(id, { type: 'OIDC' }))).code,
    INVALID,
    'neither provider nor key',
  );
  const other = String((await newConnection(api, organizationId))['id']);
  const taken = await api(own.update(other, { ...base, key_id: 'acme' }));
  assert.deepEqual([taken.code, taken.fields], [INVALID, ['connection.key_id']]);
  const elsewhere = await customer(api);
  const theirs = String((await newConnection(api, elsewhere))['id']);
  ok(await api(connectionSteps(elsewhere).update(theirs, { ...base, key_id: 'acme' })));
});

test('the secret of a connection is encrypted in its row and in no answer; it is taken away by an empty one (SSO-2)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const id = String((await newConnection(api, organizationId))['id']);
  const base = { provider: 'OKTA', type: 'OIDC' };
  ok(await api(own.update(id, { ...base, oidc_config: OIDC_CONFIG })));
  const rows = await gatewarden.database.rows<{ row: string; client_secret: Uint8Array }>(
    sql`select to_jsonb(c)::text as row, client_secret from connections c where id = ${id}`,
  );
  const hex = Buffer.from(OIDC_CONFIG.client_secret).toString('hex');
  assert.ok(
    rows[0] && !rows[0].row.includes(OIDC_CONFIG.client_secret) && !rows[0].row.includes(hex),
  );
  const row = { table: 'connections', environmentId: gatewarden.environment.id, id };
  const { client_secret: sealed } = rows[0];
  assert.throws(() =>
    gatewarden.app.secrets.open('secrets-at-rest', { ...row, id: NOTHING }, sealed),
  );
  assert.equal(await clientSecretOf(gatewarden.context(), { id }), OIDC_CONFIG.client_secret);
  const answers = [
    own.get(id),
    environment.list({ include: 'all' }),
    environment.search({ query: id }),
  ];
  for (const step of answers)
    assert.ok(!JSON.stringify(ok(await api(step))).includes('secret'), step.method.name);
  ok(await api(own.update(id, { ...base, oidc_config: { client_id: 'other' } })));
  assert.equal((await connection(api, own.get(id)))['status'], 'COMPLETED', 'the secret stays');
  ok(await api(own.update(id, { ...base, oidc_config: { client_secret: '' } })));
  assert.equal((await connection(api, own.get(id)))['status'], 'IN_PROGRESS');
});

test('a stored client secret does not follow to a host that it was not given for (SSO-11: exfiltration by whoever may change addresses)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const made = await newConnection(api, organizationId, { provider: 'OKTA', type: 'OIDC' });
  const id = String(made['id']);
  const update = async (oidc_config: JsonObject) =>
    await connection(api, own.update(id, { provider: 'OKTA', oidc_config }));
  const secret = async () => await clientSecretOf(gatewarden.context(), { id });
  await update(OIDC_CONFIG);
  assert.equal(await secret(), OIDC_CONFIG.client_secret);
  await update({ token_uri: 'https://acme.okta.example/oauth/other' });
  assert.equal(await secret(), OIDC_CONFIG.client_secret, 'another path of the same host');
  const moved = await update({ token_uri: 'https://evil.example/token' });
  assert.deepEqual([await secret(), moved['status']], [undefined, 'IN_PROGRESS']);
  await update({
    token_uri: 'https://login.acme.example/token',
    client_secret: 'given again 0123456789',
  });
  assert.equal(await secret(), 'given again 0123456789', 'with the change it is meant for it');
});
