import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { cookieBrowser, startTestGatewarden, token } from '@gatewarden/server/testing';
import {
  assertEnded,
  assertLives,
  clientAt,
  codeFor,
  connect,
  documented,
  events,
  isActive,
  kidOf,
  kidsOf,
  ran,
  redeem,
  refresh,
  requestUrl,
  revocations,
  run,
  runbook,
  SEALED,
  sealedColumns,
  startSite,
  statesOf,
  subjectOf,
} from './runbook-site.ts';

test('runbook: what was issued before a moment to a person, client, server or everybody is refused, and what came later lives (AS-154, AS-110, AS-124, AS-13)', async (t) => {
  const site = await startSite(t);
  const { gatewarden } = site;
  const one = (await gatewarden.mcpServer({ serverUrl: 'https://one.example.com/mcp' })).id;
  const two = (await gatewarden.mcpServer({ serverUrl: 'https://two.example.com/mcp' })).id;
  const [first, second] = [await clientAt(site, one), await clientAt(site, two)];
  const machine = await gatewarden.machine(two);
  const ann = 'ann+sktest@example.com';
  const bob = 'bob+sktest@example.com';
  const bobsBrowser = cookieBrowser(gatewarden.url);

  gatewarden.clock.advance({ minutes: -10 });
  const annAtOne = await connect(site, { serverId: one, clientId: first, email: ann });
  const annAtTwo = await connect(site, { serverId: two, clientId: second, email: ann });
  const bobsWalk = { serverId: one, clientId: first, email: bob, browser: bobsBrowser };
  const bobAtOne = await connect(site, bobsWalk);
  const ofMachine = await token(annAtTwo.issuer, {
    grant_type: 'client_credentials',
    client_id: machine.id,
    client_secret: machine.secret,
  });
  const management = await token(gatewarden.origin, {
    grant_type: 'client_credentials',
    client_id: gatewarden.client.id,
    client_secret: gatewarden.client.secret,
  });
  gatewarden.clock.advance({ minutes: 10 });
  const later = await connect(site, { serverId: two, clientId: second, email: bob });
  const T = new Date(Date.now() - 300_000).toISOString();
  const revoke = 'revoke --before 2026-11-21T10:00:00Z';
  const T0 = { '2026-11-21T10:00:00Z': T };

  await runbook(site, `${revoke} --user usr_…`, { ...T0, 'usr_…': subjectOf(annAtOne) });
  await assertEnded(site, annAtOne, 'of the person');
  await assertEnded(site, annAtTwo, 'of the person at another server');
  const bobs = await assertLives(site, bobAtOne, 'of another person');
  assert.equal((await revocations(site, one, 'handle')).length, 1);

  await runbook(site, `${revoke} --client m2m_…`, { ...T0, 'm2m_…': first });
  await assertEnded(site, bobs, 'of the client, renewed since then');
  assert.equal(await isActive(site, ofMachine.body['access_token'], true), true);

  await runbook(site, `${revoke} --server res_…`, { ...T0, 'res_…': two });
  assert.equal(await isActive(site, ofMachine.body['access_token'], false), false);
  assert.deepEqual(await revocations(site, two, 'before'), [
    String(Math.ceil(Date.parse(T) / 1000)),
  ]);
  const lives = await assertLives(site, later, 'made after the moment');
  assert.equal(await isActive(site, management.body['access_token'], true), true);

  await runbook(site, revoke, T0);
  assert.equal(await isActive(site, management.body['access_token'], false), false);
  await assertLives(site, lives, 'made after the moment, in the whole environment');
  const asked = await bobsBrowser.open(requestUrl(site, bobsWalk));
  assert.equal('step' in asked && asked.step, 'consent', 'a remembered consent is asked for again');
  const told = await events(site, 'tokens.revoked');
  assert.deepEqual([told.length, told[0]?.data['grants']], [4, 2]);
});

test('runbook: a code that waits to be redeemed, and a token renewed by an older grant, end with everything before now (AS-154, AS-96)', async (t) => {
  const site = await startSite(t);
  const { gatewarden } = site;
  const server = (await gatewarden.mcpServer({ settings: { codeLifetime: 600 } })).id;
  const walk = {
    serverId: server,
    clientId: await clientAt(site, server),
    email: 'c+sktest@example.com',
  };
  gatewarden.clock.advance({ minutes: -10 });
  const old = await connect(site, walk);
  gatewarden.clock.advance({ minutes: 10 });
  const between = new Date(Date.now() - 1_000).toISOString();
  const renewed = { ...old, answer: await refresh(old) };
  const code = await codeFor(site, walk);

  await run(site, ['revoke', '--before', between, '--yes']);
  await assertEnded(site, renewed, 'renewed after the moment by a grant from before it');

  const { json } = await run(site, ['revoke', '--before', 'now', '--json', '--yes']);
  assert.deepEqual(Object.entries(json['revoked'] ?? {}).slice(1), [
    ['grants', 0],
    ['codes', 1],
    ['consents', 0],
  ]);
  assert.equal((await redeem(site, walk, code)).body['error'], 'invalid_grant');
});

test('runbook: a planned rotation disturbs nobody, an emergency rotation withdraws every published key and tells each server (AS-154, AS-16, AS-17, AS-18)', async (t) => {
  const site = await startSite(t);
  const { gatewarden } = site;
  const [server, other] = [(await gatewarden.mcpServer()).id, (await gatewarden.mcpServer()).id];
  const walk = {
    serverId: server,
    clientId: await clientAt(site, server),
    email: 'k+sktest@example.com',
  };
  const before = await connect(site, walk);
  const listed = await runbook(site, 'keys list');
  const [published] = [await kidsOf(site)];
  assert.equal(JSON.stringify(listed).includes('private'), false);
  assert.deepEqual(statesOf(listed), { current: 1, future: 2 });

  const { current, retired } = await runbook(site, 'keys rotate');
  assert.ok(published.includes(String(current)), 'the next key was public before');
  const renewed = await assertLives(site, before, 'after a planned rotation');
  assert.equal(kidOf(renewed), current);
  assert.equal(await isActive(site, before.answer.body['access_token'], true), true);
  assert.ok((await kidsOf(site)).includes(String(retired)), 'the old key stays public');

  const all = await kidsOf(site);
  const refused = await run(site, ['keys', 'rotate', '--emergency']);
  assert.deepEqual([refused.code, await kidsOf(site)], [2, all], 'without --yes nothing happens');
  const { withdrawn } = await runbook(site, 'keys rotate --emergency');

  assert.deepEqual(new Set(withdrawn as string[]), new Set(all));
  assert.equal(await isActive(site, renewed.answer.body['access_token'], false), false);
  assert.deepEqual(
    (await kidsOf(site)).filter((kid) => all.includes(kid)),
    [],
  );
  for (const id of [server, other])
    assert.deepEqual(new Set(await revocations(site, id, 'kid')), new Set(all));
  const { answer } = await assertLives(
    site,
    renewed,
    'the refresh token after an emergency rotation',
  );
  assert.equal(all.includes(kidOf({ ...renewed, answer })), false);
  assert.equal((await events(site, 'signing_key.withdrawn')).length, 2);
});

test('runbook: the operator key is replaced, everything at rest is encrypted again, and tokens, codes and forms go on (AS-154, AS-150, AS-108, AS-20)', async (t) => {
  const site = await startSite(t);
  const { gatewarden } = site;
  const server = (await gatewarden.mcpServer({ settings: { codeLifetime: 600 } })).id;
  const walk = {
    serverId: server,
    clientId: await clientAt(site, server),
    email: 'r+sktest@example.com',
  };
  const first = await connect(site, walk);
  const second = { ...first, answer: await refresh(first) };
  const code = await codeFor(site, walk);
  // A code that waits in a mail.
  const browser = cookieBrowser(gatewarden.url);
  const identify = await browser.open(requestUrl(site, walk));
  assert.ok('html' in identify);
  await browser.submit(identify, { email: 'somebody@example.com' });
  const keys = await kidsOf(site);
  await gatewarden.close();

  const fresh = randomBytes(32);
  const both = [new Uint8Array(fresh), new Uint8Array(Buffer.from(site.key, 'base64'))];
  const { database, clock, url } = gatewarden;
  const again = (secretKeys: readonly Uint8Array[]) =>
    startTestGatewarden(t as never, { with: { url, database, secretKeys, clock } });
  const environment = { GATEWARDEN_SECRET_KEY: `${fresh.toString('base64')},${site.key}` };
  await assert.rejects(again(both.slice(0, 1)), /GATEWARDEN_SECRET_KEY/);
  const sealed = await sealedColumns(site);
  for (const column of SEALED)
    assert.ok(sealed.includes(column), `${column} holds no secret in this test`);
  assert.equal((await run(site, ['rekey', '--check'], environment)).code, 1);
  assert.deepEqual(await sealedColumns(site), sealed, '--check changes nothing');

  const between = { ...site, gatewarden: await again(both) };
  const outcome = await runbook(site, 'rekey', {}, environment);
  assert.equal(outcome['complete'], true);
  assert.deepEqual(await sealedColumns(site), [], 'nothing at rest needs the old key');
  const grace = await refresh(first, `${between.gatewarden.origin}/resources/${server}`);
  assert.equal(grace.body['refresh_token'], second.answer.body['refresh_token']);
  await between.gatewarden.close();

  await runbook(site, 'rekey --check', {}, { GATEWARDEN_SECRET_KEY: fresh.toString('base64') });
  const after = { ...site, gatewarden: await again(both.slice(0, 1)) };
  assert.deepEqual(await kidsOf(after), keys);
  assert.equal((await redeem(after, walk, code)).status, 200);
  const issuer = `${after.gatewarden.origin}/resources/${server}`;
  await assertLives(after, { ...second, issuer }, 'a refresh token from before');
  assert.equal((await events(after, 'operator_key.replaced')).length, 1);
});

test('runbook: ended sessions sign people out and end what was allowed in them, one person or everybody (AS-154, AS-114)', async (t) => {
  const site = await startSite(t);
  const { gatewarden } = site;
  const server = (await gatewarden.mcpServer()).id;
  const clientId = await clientAt(site, server);
  const walkOf = (email: string) => ({
    serverId: server,
    clientId,
    email,
    browser: cookieBrowser(gatewarden.url),
  });
  const [ann, bob] = [walkOf('ann+sktest@example.com'), walkOf('bob+sktest@example.com')];
  const [anns, bobs] = [await connect(site, ann), await connect(site, bob)];
  const stepOf = async (walk: typeof ann): Promise<string | undefined> => {
    const seen = await walk.browser.open(`${requestUrl(site, walk)}&prompt=consent`);
    return 'step' in seen ? seen.step : 'at the client';
  };

  const one = await runbook(site, 'sessions end --all --user usr_…', { 'usr_…': subjectOf(anns) });
  assert.deepEqual(one, { ended: { sessions: 1, grants: 1 } });
  await assertEnded(site, anns, 'of the person');
  assert.deepEqual([await stepOf(ann), await stepOf(bob)], ['identify', 'consent']);
  const bobsNow = await assertLives(site, bobs, 'of another person');

  await runbook(site, 'sessions end --all');
  await assertEnded(site, bobsNow, 'of everybody');
  assert.equal(await stepOf(bob), 'identify');
  assert.equal((await events(site, 'sessions.ended')).length, 2);
});

test('every command of the runbooks was run (AS-154)', () => {
  assert.ok(documented.length >= 10);
  assert.deepEqual(
    documented.filter((command) => !ran.has(command)),
    [],
  );
});
