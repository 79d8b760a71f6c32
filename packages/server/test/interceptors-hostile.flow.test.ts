import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { decodeJwt } from 'jose';
import { readMailbox } from '../src/email/mails.ts';
import { asPage } from '../src/testing/cookie-browser.ts';
import { signIn } from '../src/testing/oauth-client.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  sql,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { endpoint, json, type Reply, interceptorSteps as steps } from './interceptor-steps.ts';
import { type Api, managementApi, member, ok } from './management-api.ts';
import { newOrganization } from './organization-steps.ts';
import { newMember } from './user-steps.ts';

let gatewarden: TestGatewarden;
let api: Api;
let site: { issuer: string; clientId: string };
const redirectUri = 'http://127.0.0.1:7777/cb';

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  api = await managementApi(t as never, gatewarden);
  const { id } = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const { body } = await register(gatewarden.url, id, {
    client_name: 'Test',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  site = { issuer: `${gatewarden.url}/resources/${id}`, clientId: String(body['client_id']) };
});

/** An interceptor that is switched on, and gone with the test. */
async function interceptor(t: TestContext, trigger: string, reply: Reply, more: JsonObject = {}) {
  const app = await endpoint(t, reply);
  const fields = { display_name: 'Gate', trigger_point: trigger, api_url: app.url };
  const policy = { failure_policy: 'FAIL_CLOSED', timeout_ms: '8000' };
  const made = ok(await api(steps.create({ ...fields, ...policy, ...more })));
  const id = String(member(made, 'interceptor')['id']);
  ok(await api(steps.turn(id, true)));
  t.after(async () => void (await api(steps.remove(id))));
  return { ...app, id };
}

const raw =
  (text: string): Reply =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(text);
const claims = (text: string): Reply => raw(`{"decision":"ALLOW","response":{"claims":{${text}}}}`);
const deep = '['.repeat(30_000) + ']'.repeat(30_000);

/** What no database and no token can carry, and what is written like it and is a text like others. */
const HOSTILE = `"a\\u0000b":1,"zero":"\\u0000","half":"\\ud800","list":["\\udfff"],"\\ud800":1,"deep":${deep},"__proto__":{"admin":true},"constructor":"own","text":"\\\\u0000 \\\\ud800","pair":"\\ud83d\\ude00"`;
const LEFT = { constructor: 'own', text: '\\u0000 \\ud800', pair: '😀' };

const authorization = (challenge: string): string =>
  authorizeUrl(site.issuer, {
    client_id: site.clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    scope: 'openid todo:read',
  });

async function signedIn(email: string): Promise<Record<string, unknown>> {
  const { verifier, challenge } = pkce();
  const browser = cookieBrowser(gatewarden.url);
  const landing = await authorizeWith(browser, authorization(challenge), email);
  const answer = await token(site.issuer, {
    grant_type: 'authorization_code',
    client_id: site.clientId,
    redirect_uri: redirectUri,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return decodeJwt(String(answer.body['access_token']));
}

async function ended(email: string): Promise<string | undefined> {
  const browser = cookieBrowser(gatewarden.url);
  const first = asPage(await browser.open(authorization(pkce().challenge)));
  return asPage(await signIn(browser, first, email)).error;
}

test('claims that no database stores, or nested without end, are left out; the sign-in goes on and the log names them (FSA-87: hostile answer)', async (t) => {
  await interceptor(t, 'PRE_SESSION_CREATION', claims(HOSTILE));
  const said = (await signedIn('hostile+sktest@example.com'))['custom_claims'];
  assert.deepEqual(said, LEFT);
  const [ignored] = await gatewarden.database.rows<{ data: { claims: string[] } }>(
    sql`select data from events where type = 'interceptor.claims_ignored' order by id desc limit 1`,
  );
  assert.deepEqual(ignored?.data.claims, ['a\ufffdb', 'zero', 'half', 'list', '\ufffd', 'deep']);
});

test('roles that cannot be names stop the sign-up instead of giving the role that everybody gets (FSA-87: hostile answer)', async (t) => {
  const organization = await newOrganization(api);
  const gate = await interceptor(t, 'PRE_SIGNUP', json({}));
  const wrong = [[{ name: 'admin' }], [1], 'admin', { 0: 'admin' }, ['adm\0in'], ['']];
  for (const [at, roles] of wrong.entries()) {
    const membership = { organization_id: String(organization['id']), roles };
    gate.state.reply = json({
      decision: 'ALLOW',
      response: { create_organization_membership: membership },
    });
    const email = `roles${at}+sktest@example.com`;
    assert.equal(await ended(email), 'access_denied', JSON.stringify(roles));
    const people = await gatewarden.database.rows(sql`select 1 from users where email = ${email}`);
    assert.equal(people.length, 0);
  }
});

test('the application is asked before an invitation signs anybody in: refused, nobody is a member and the link still works; its claims count (FSA-64, FSA-86)', async (t) => {
  const organization = String((await newOrganization(api))['id']);
  const person = await newMember(api, organization, {}, true);
  const [mail] = await readMailbox(gatewarden.context(), {
    recipient: String(person['email']),
    limit: 1,
  });
  const browser = cookieBrowser(gatewarden.origin);
  const page = asPage(await browser.open(mail?.link ?? ''));
  const standing = async () =>
    await gatewarden.database.rows<{ status: string; sessions: bigint }>(sql`
      select m.status, (select count(*) from sessions s where s.user_id = m.user_id) as sessions
        from memberships m where m.user_id = ${String(person['id'])}`);
  for (const trigger of ['POST_USER_AUTHENTICATION', 'PRE_SESSION_CREATION']) {
    const gate = await interceptor(
      t,
      trigger,
      json({ decision: 'DENY', error: { message: 'not <i>today</i>' } }),
    );
    const refused = asPage(await browser.submit(page, { action: 'accept' }));
    assert.deepEqual([refused.status, refused.error], [400, 'access_denied'], trigger);
    assert.ok(refused.html.includes('not &lt;i&gt;today&lt;/i&gt;'));
    const sent = JSON.parse(gate.got.at(-1)?.body ?? '{}');
    assert.deepEqual(
      [sent.trigger_point, sent.data.user.id, sent.data.user.memberships],
      [trigger, person['id'], [{ organization_id: organization, status: 'PENDING_INVITE' }]],
    );
    ok(await api(steps.turn(gate.id, false)));
    assert.deepEqual(await standing(), [{ status: 'PENDING_INVITE', sessions: 0n }]);
  }
  await interceptor(t, 'PRE_SESSION_CREATION', claims('"plan":"gold"'));
  const joined = asPage(await browser.submit(page, { action: 'accept' }));
  assert.equal(joined.status, 200);
  assert.deepEqual(await standing(), [{ status: 'ACTIVE', sessions: 1n }]);
  const [session] = await gatewarden.database.rows<{ custom_claims: JsonObject }>(
    sql`select custom_claims from sessions where user_id = ${String(person['id'])}`,
  );
  assert.deepEqual(session?.custom_claims, { plan: 'gold' });
});

async function machine(): Promise<() => ReturnType<typeof token>> {
  const management = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: gatewarden.client.id,
    client_secret: gatewarden.client.secret,
  });
  const organization = String((await newOrganization(api))['id']);
  const answer = await fetch(`${gatewarden.url}/api/v1/organizations/${organization}/clients`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${management.body['access_token']}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: 'Robot', scopes: ['read'], audience: ['https://api.example'] }),
  });
  const made = (await answer.json()) as JsonObject;
  const id = String(member(made, 'client')['client_id']);
  const secret = String(made['plain_secret']);
  return async () =>
    await token(gatewarden.url, {
      grant_type: 'client_credentials',
      client_id: id,
      client_secret: secret,
    });
}

test('a machine’s token keeps its audience and carries nothing that cannot be stored, whatever the application answers (FSA-87, AS-148: hostile answer)', async (t) => {
  const ask = await machine();
  const gate = await interceptor(t, 'PRE_M2M_TOKEN_CREATION', claims(`${HOSTILE},"aud":[]`));
  const answer = await ask();
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const said = decodeJwt(String(answer.body['access_token']));
  assert.deepEqual([said['custom_claims'], said.aud], [LEFT, ['https://api.example']]);
  gate.state.reply = raw('{"decision":"ALLOW","response":{"claims":["admin"]}}');
  const listed = decodeJwt(String((await ask()).body['access_token']));
  assert.equal(listed['custom_claims'], undefined, 'a list has no names');
});

test('of calls to an application that does not answer at most fifty wait; the others fail at once, and later ones are asked again (FSA-88: denial of service)', async (t) => {
  const ask = await machine();
  const held: (() => void)[] = [];
  const answer = json({ decision: 'ALLOW' });
  const gate = await interceptor(
    t,
    'PRE_M2M_TOKEN_CREATION',
    (response, got) => void held.push(() => answer(response, got)),
    { timeout_ms: '30000' },
  );
  const over: number[] = [];
  const calls = Array.from({ length: 70 }, async () => void over.push((await ask()).status));
  for (let wait = 0; wait < 200 && held.length + over.length < 70; wait += 1)
    await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual([held.length, over.length], [50, 20]);
  assert.deepEqual([...new Set(over)], [403]);
  for (const release of held) release();
  await Promise.all(calls);
  assert.equal(over.filter((status) => status === 200).length, 50);
  const busy = await gatewarden.database.rows(sql`
    select 1 from events where reason = 'interceptor-busy' and data ->> 'interceptor_id' = ${gate.id}`);
  assert.equal(busy.length, 20);
  gate.state.reply = answer;
  assert.equal((await ask()).status, 200);
});

test('a secret for the application’s endpoint is not sent to another host by a change of the address alone (FSA-86: theft of a secret)', async () => {
  const key = { api_key: 'very-secret', header_name: 'X-Key' };
  const config = (api_key: JsonObject): JsonObject => ({
    auth_config: { auth_config_type: 'API_KEY', api_key },
  });
  const fields = {
    display_name: 'Gate',
    trigger_point: 'PRE_SIGNUP',
    api_url: 'https://app.example/hook',
    failure_policy: 'FAIL_OPEN',
  };
  const made = ok(await api(steps.create({ ...fields, config: config(key) })));
  const id = String(member(made, 'interceptor')['id']);
  const elsewhere = { api_url: 'https://thief.example/hook' };
  const hidden = config({ ...key, api_key: '********' });
  for (const change of [elsewhere, { ...elsewhere, config: hidden }]) {
    const answer = await api(steps.update(id, change));
    assert.deepEqual([answer.code, answer.fields], [3, ['interceptor.config']]);
  }
  ok(await api(steps.update(id, { api_url: 'https://app.example/other' })));
  ok(await api(steps.update(id, { ...elsewhere, config: config({ ...key, api_key: 'new' }) })));
  ok(await api(steps.update(id, { ...fields, config: {} })));
  ok(await api(steps.remove(id)));
});

test('a try of an endpoint that answers what cannot be shown says so, and does not fail (FSA-88: hostile answer)', async (t) => {
  const gate = await interceptor(t, 'PRE_SIGNUP', json({}));
  for (const text of [`"x":${deep}`, '"x":"\\ud800"', '"\\udfff":1']) {
    gate.state.reply = raw(`{"decision":"ALLOW",${text}}`);
    const tried = ok(await api(steps.attempt(gate.id, { data: {} })));
    assert.equal(member(tried, 'error')['code'], 'MALFORMED', text.slice(0, 20));
  }
});
