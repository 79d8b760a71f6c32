import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ConnectionService } from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { decodeJwt } from 'jose';
import { asPage } from '../src/testing/cookie-browser.ts';
import { allow, signIn } from '../src/testing/oauth-client.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  createClient,
  engines,
  pkce,
  sql,
  startTestGatewarden,
  token,
} from '../src/testing.ts';
import { ok } from './management-api.ts';
import {
  begun,
  call,
  callback,
  exchange,
  ownSite,
  person,
  redirectUri,
  report,
  type Site,
} from './own-sign-in-site.ts';

let site: Site;
before(async (t) => {
  const gatewarden = await startTestGatewarden(t as never);
  site = await ownSite(t as never, gatewarden);
});

for (const engine of engines)
  test(`a person signs in at the application's own page, is asked for consent here, and the token says who they are there (SSO-66, SSO-67, SSO-68, AS-116, AS-132), ${engine}`, async (t) => {
    const own =
      engine === 'pglite' ? site : await ownSite(t, await startTestGatewarden(t, { engine }));
    const { browser, verifier, location, loginId, state } = await begun(own);
    assert.match(location, /^https:\/\/app\.example\/login\?tenant=1&login_request_id=lri_/);
    assert.match(loginId, /^lri_[0-9]{15,19}$/);
    assert.match(state, /^[A-Za-z0-9_-]{43}$/);
    ok(await own.api(report(own.connectionId, loginId, person({ email: 'old@customer.example' }))));
    const reported = ok(
      await own.api(
        report(
          own.connectionId,
          loginId,
          person({
            roles: ['editor'],
            groups: ['staff'],
            organization_external_id: 'tenant-7',
            custom_attributes: { custom_field: 'x', deep: { a: [1] } },
          }),
        ),
      ),
    );
    assert.match(String(reported['auth_request_id']), /^req_[0-9]{15,19}$/);
    const consent = asPage(await browser.open(callback(own, state)));
    assert.equal(consent.step, 'consent', 'nothing stands for the consent');
    assert.ok(consent.html.includes('ada@customer.example'));
    const landing = await allow(browser, consent);
    assert.equal(landing.params.get('state'), 'client-state');
    const body = await exchange(own, landing.params.get('code') ?? '', verifier);
    const claims = decodeJwt(String(body['access_token']));
    assert.match(String(claims.sub), /^usr_/);
    assert.deepEqual(
      [claims['ext_sub'], claims['roles'], claims['groups'], claims['xoid']],
      ['customer-42', ['editor'], ['staff'], 'tenant-7'],
    );
    assert.deepEqual([claims['custom_field'], claims['deep']], ['x', { a: [1] }]);
    assert.equal(decodeJwt(String(body['id_token'])).sub, claims.sub);
    const refreshed = await token(own.issuer, {
      grant_type: 'refresh_token',
      client_id: own.clientId,
      refresh_token: String(body['refresh_token']),
    });
    const again = decodeJwt(String(refreshed.body['access_token']));
    assert.deepEqual([again['ext_sub'], again['custom_field']], ['customer-42', 'x']);

    // The same person once more, from another browser: the same account, remembered consent, new attributes.
    const second = await begun(own);
    ok(await own.api(report(own.connectionId, second.loginId, person())));
    const next = await second.browser.open(callback(own, second.state));
    const code =
      'html' in next
        ? (await allow(second.browser, next)).params.get('code')
        : next.params.get('code');
    const later = decodeJwt(
      String((await exchange(own, code ?? '', second.verifier))['access_token']),
    );
    assert.deepEqual(
      [later.sub, later['custom_field'], later['roles']],
      [claims.sub, undefined, undefined],
    );
    // Signed in: a further authorization of this browser needs no login page.
    const third = await second.browser.open(second.url);
    assert.ok('html' in third ? third.step === 'consent' : third.params.has('code'));
  });

test('a browser that did not leave with the state signs nobody in by it, whoever completed the sign-in (SSO-68, AS-30: login CSRF)', async () => {
  const attacker = await begun(site);
  ok(await site.api(report(site.connectionId, attacker.loginId, person({ sub: 'attacker' }))));
  const fresh = cookieBrowser(site.gatewarden.url);
  const victim = await begun(site);
  for (const browser of [fresh, victim.browser]) {
    const page = asPage(await browser.open(callback(site, attacker.state)));
    assert.deepEqual([page.status, page.error], [400, 'invalid_state']);
    assert.equal(
      [...browser.cookies.keys()].some((name) => name.includes('session')),
      false,
    );
  }
  const done = asPage(await attacker.browser.open(callback(site, attacker.state)));
  assert.equal(done.step, 'consent', 'the attempts changed nothing');
  const [row] = await site.gatewarden.database.rows<{ user_id: string }>(
    sql`select user_id from partner_people where subject = 'attacker'`,
  );
  const before = await sessionsOf(row?.user_id);
  await attacker.browser.open(callback(site, attacker.state));
  assert.equal(await sessionsOf(row?.user_id), before, 'the state is good once');
});

async function sessionsOf(userId: string | undefined): Promise<number> {
  const rows = await site.gatewarden.database.rows(
    sql`select id from events where type = 'sign_in.succeeded' and user_id = ${userId}`,
  );
  return rows.length;
}

test('an unknown, malformed, doubled, foreign or old state, and a return before the backend spoke, sign nobody in (SSO-68)', async () => {
  const { browser, loginId, state } = await begun(site);
  const early = asPage(await browser.open(callback(site, state)));
  assert.deepEqual([early.status, early.error], [400, 'authentication_not_completed']);
  const other = state.startsWith('A') ? `B${state.slice(1)}` : `A${state.slice(1)}`;
  for (const bad of [other, '', 'x', `${state}&state=${state}`]) {
    const page = asPage(await browser.open(callback(site, bad)));
    assert.deepEqual([page.status, page.error], [400, 'invalid_state'], bad);
  }
  const foreign = { ...site, connectionId: 'conn_123456789012345678' };
  assert.equal(asPage(await browser.open(callback(foreign, state))).error, 'invalid_state');
  ok(await site.api(report(site.connectionId, loginId, person({ sub: 'slow' }))));
  site.gatewarden.clock.advance({ minutes: 11 });
  assert.equal(asPage(await browser.open(callback(site, state))).error, 'login_expired');
  const late = await site.api(report(site.connectionId, loginId, person({ sub: 'slow' })));
  assert.equal(late.code, 5, 'a report after the end');
});

test('login_failed ends the authorization with access_denied and signs nobody in (SSO-67, SSO-68)', async () => {
  const { browser, loginId, state } = await begun(site);
  ok(await site.api(report(site.connectionId, loginId, { login_failed: true })));
  const seen = await browser.open(callback(site, state));
  const error = 'html' in seen ? seen.error : seen.params.get('error');
  assert.equal(error, 'access_denied');
  const [event] = await site.gatewarden.database.rows<{ reason: string }>(
    sql`select reason from events where type = 'sign_in.reported' order by id desc limit 1`,
  );
  assert.equal(event?.reason, 'login-failed');
  assert.equal(
    [...browser.cookies.keys()].some((name) => name.includes('session')),
    false,
  );
});

test('a report that cannot be is refused with its field and changes nothing (SSO-67, AS-116, AS-148, AS-151)', async () => {
  const { loginId } = await begun(site);
  const [known] = await site.gatewarden.database.rows<{ id: string }>(
    sql`select id from users limit 1`,
  );
  const bad: [JsonObject, string][] = [
    [person({ sub: site.clientId }), 'user.sub'],
    [person({ sub: String(known?.id) }), 'user.sub'],
    [person({ sub: 'res_123456789012345678' }), 'user.sub'],
    [person({ sub: 'https://client.example/metadata.json' }), 'user.sub'],
    [person({ sub: site.gatewarden.url }), 'user.sub'],
    [person({ sub: 'a\0b' }), 'user.sub'],
    [person({ sub: 'x'.repeat(256) }), 'user.sub'],
    [person({ email: 'no address' }), 'user.email'],
    [person({ custom_attributes: { sub: 'x' } }), 'user.custom_attributes.sub'],
    [person({ custom_attributes: { permissions: ['all'] } }), 'user.custom_attributes.permissions'],
    [person({ custom_attributes: { big: 'x'.repeat(5000) } }), 'user.custom_attributes.big'],
    [person({ roles: [''] }), 'user.roles[0]'],
  ];
  for (const [user, field] of bad) {
    const answer = await site.api(report(site.connectionId, loginId, user));
    assert.deepEqual(
      [answer.code, answer.fields],
      [3, [field]],
      JSON.stringify(user).slice(0, 100),
    );
  }
  for (const user of [{ email: 'a@b.example' }, { sub: 'x' }, {}])
    assert.equal((await site.api(report(site.connectionId, loginId, user))).code, 3);
  const wrong = await site.api(report(site.resourceId, loginId, person()));
  assert.deepEqual([wrong.code, wrong.fields], [3, ['connection_id']]);
  assert.equal((await site.api(report('conn_123456789012345678', loginId, person()))).code, 5);
  assert.equal(
    (await site.api(report(site.connectionId, 'lri_123456789012345', person()))).code,
    5,
  );
  const [row] = await site.gatewarden.database.rows<{ said: boolean }>(
    sql`select details is not null or failed as said from partner_logins where id = ${loginId}`,
  );
  assert.equal(row?.said, false);
});

test('the address of somebody here gives nothing: people of the two kinds are two, and neither session is good for the other (SSO-69)', async () => {
  const { gatewarden } = site;
  const email = 'owner+sktest@example.com';
  const browser = cookieBrowser(gatewarden.url);
  const application = await createClient(gatewarden.context(), {
    kind: 'application',
    name: 'Portal',
    redirectUris: [redirectUri],
  });
  if (application.kind !== 'created') throw new Error('the application was not made');
  const atE = (challenge: string): string =>
    authorizeUrl(gatewarden.url, {
      client_id: application.client.id,
      redirect_uri: redirectUri,
      code_challenge: challenge,
      scope: 'openid',
    });
  await authorizeWith(browser, atE(pkce().challenge), email);
  const [owner] = await gatewarden.database.rows<{ id: string }>(
    sql`select id from users where email_key = ${email}`,
  );
  // Signed in here, and still sent to the application's page for its MCP server.
  const { loginId, state } = await begun(site, browser);
  ok(
    await site.api(
      report(site.connectionId, loginId, person({ sub: 'same', email, email_verified: true })),
    ),
  );
  asPage(await browser.open(callback(site, state)));
  const rows = await gatewarden.database.rows<{ id: string }>(
    sql`select id from users where email = ${email} order by id`,
  );
  assert.equal(rows.length, 2);
  const shadow = rows.find(({ id }) => id !== owner?.id);
  // In front of the cookie now, and still nobody for the application.
  const known = await browser.open(atE(pkce().challenge));
  const seen = 'html' in known ? known.html : known.location;
  assert.ok('params' in known && known.params.has('code'), seen);
  const [issued] = await gatewarden.database.rows<{ user_id: string }>(
    sql`select user_id from authorization_codes order by created_at desc limit 1`,
  );
  assert.equal(issued?.user_id, owner?.id);
  // A browser with only the other kind of session has to sign in.
  const only = await begun(site);
  ok(await site.api(report(site.connectionId, only.loginId, person({ sub: 'same', email }))));
  asPage(await only.browser.open(callback(site, only.state)));
  const first = asPage(await only.browser.open(atE(pkce().challenge)));
  assert.equal(first.step, 'identify');
  await signIn(only.browser, first, email);
  const [newest] = await gatewarden.database.rows<{ user_id: string }>(
    sql`select user_id from sessions order by created_at desc limit 1`,
  );
  assert.deepEqual([newest?.user_id, shadow?.id !== owner?.id], [owner?.id, true]);
});

test('a connection that is switched off or does not know the page lets nobody in, and a change of it ends what is under way (SSO-66)', async (t) => {
  const own = await ownSite(t, site.gatewarden);
  const { browser, loginId, state } = await begun(own);
  ok(await own.api(report(own.connectionId, loginId, person())));
  ok(
    await own.api(
      call(
        ConnectionService.method.disableEnvironmentConnection,
        { connection_id: own.connectionId },
        ['PATCH', `/connections/${own.connectionId}:disable`],
      ),
    ),
  );
  const { challenge } = pkce();
  const url = authorizeUrl(own.issuer, {
    client_id: own.clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
  });
  const off = asPage(await cookieBrowser(own.gatewarden.url).open(url));
  assert.equal(off.status, 503);
  const back = asPage(await browser.open(callback(own, state)));
  assert.equal(back.status, 503, 'also for those who are on their way');
  ok(
    await own.api(
      call(ClientService.method.deleteResourceProvider, { resource_id: own.resourceId }, [
        'PUT',
        `/resources/${own.resourceId}/provider:delete`,
      ]),
    ),
  );
  const gone = asPage(await browser.open(callback(own, state)));
  assert.equal(gone.error, 'invalid_state');
  const here = asPage(await cookieBrowser(own.gatewarden.url).open(url));
  assert.equal(here.step, 'identify', 'people sign in here again');
});

test('of callbacks at once one signs in, and of first sign-ins of one subject at once one makes the person (SSO-68, SSO-69: races)', async (t) => {
  const own = await ownSite(t, await startTestGatewarden(t, { engine: 'postgres' }));
  const flows = await Promise.all([begun(own), begun(own), begun(own)]);
  for (const { loginId } of flows) ok(await own.api(report(own.connectionId, loginId, person())));
  await Promise.all(
    flows.flatMap(({ browser, state }) =>
      [1, 2, 3].map(() => browser.fetch(callback(own, state), { redirect: 'manual' })),
    ),
  );
  const { database } = own.gatewarden;
  const people = await database.rows(sql`select user_id from partner_people`);
  const users = await database.rows(sql`select id from users`);
  const signIns = await database.rows(sql`select id from events where type = 'sign_in.succeeded'`);
  assert.deepEqual([people.length, users.length, signIns.length], [1, 1, 3]);
});
