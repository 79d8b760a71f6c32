import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from '@gatewarden/server/testing';
import { main } from '../src/index.ts';
import { type Site, startSite } from './runbook-site.ts';
import { spawnDev } from './spawn-dev.ts';

type Ran = { readonly code: number; readonly out: string; readonly errors: string };

/** Runs a command in this process; `reply` is what the person at the terminal types, if there is one. */
async function command(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  reply?: string,
): Promise<Ran> {
  let out = '';
  let errors = '';
  const code = await main(args, {
    env,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      errors += text;
    },
    exitOnSignal: false,
    ask: reply === undefined ? undefined : async () => reply,
  });
  return { code, out, errors };
}

function environmentOf(site: Site): Record<string, string> {
  return { DATABASE_URL: site.databaseUrl, GATEWARDEN_SECRET_KEY: site.key };
}

async function changes(site: Site): Promise<unknown[]> {
  return await site.gatewarden.database.rows(sql`
    select 'revocation' as what from revocations union all select type from events
     where type in ('tokens.revoked', 'sessions.ended', 'operator_key.replaced', 'signing_key.withdrawn')`);
}

test('operator commands refuse what they do not understand, and change nothing (AS-154)', async (t) => {
  const site = await startSite(t);
  const other = randomBytes(32).toString('base64');
  const refusals: [readonly string[], number, RegExp, Record<string, string>?][] = [
    [['revoke', '--yes'], 2, /--before/],
    [['revoke', '--before', '2026-11-21T10:00:00', '--yes'], 2, /with its zone/],
    [['revoke', '--before', '2026-02-30T10:00:00Z', '--yes'], 2, /with its zone/],
    [['revoke', '--before', '2999-01-01T00:00:00Z', '--yes'], 2, /still to come/],
    [['revoke', '--before', 'now', '--yes', '--user', 'usr_1', '--server', 'res_1'], 2, /exclude/],
    [['revoke', '--before', 'now'], 2, /--yes/],
    [['revoke', '--before', 'now', '--yes', '--server', 'res_123456789012345678'], 1, /MCP server/],
    [['revoke', '--before', 'now', '--yes', '--client', 'm2m_1'], 1, /client/],
    [['revoke', '--before', 'now', '--yes', '--user', 'usr_1'], 1, /person/],
    [['sessions', 'end', '--yes'], 2, /--all/],
    [['sessions', 'end', '--all'], 2, /--yes/],
    [['sessions', 'end', '--all', '--yes', '--user', 'usr_1'], 1, /person/],
    [['keys', 'rotate', '--emergency'], 2, /--yes/],
    [['keys', 'list', '--environment', 'env_1'], 2, /no environment "env_1"/],
    [['rekey'], 1, /GATEWARDEN_SECRET_KEY/, { GATEWARDEN_SECRET_KEY: other }],
    [['rekey'], 1, /GATEWARDEN_SECRET_KEY is not set/, { GATEWARDEN_SECRET_KEY: '' }],
    [['keys', 'list'], 1, /DATABASE_URL/, { DATABASE_URL: '', GATEWARDEN_DATA_DIR: '/none' }],
  ];
  for (const [args, code, sentence, env] of refusals) {
    const refused = await command(args, { ...environmentOf(site), ...env });
    assert.equal(refused.code, code, `${args.join(' ')}: ${refused.errors}`);
    assert.match(refused.errors, sentence);
    for (const key of [site.key, other]) assert.equal(refused.errors.includes(key), false);
  }
  assert.deepEqual(await changes(site), []);
});

test('a person is asked before anything ends, and only "yes" goes on (AS-154)', async (t) => {
  const site = await startSite(t);
  const end = ['sessions', 'end', '--all'];
  for (const reply of ['', 'y', 'no'])
    assert.equal((await command(end, environmentOf(site), reply)).code, 1);
  assert.deepEqual(await changes(site), []);
  const done = await command(end, environmentOf(site), 'yes\n');
  assert.equal(done.code, 0, done.errors);
  assert.deepEqual(await changes(site), [{ what: 'sessions.ended' }]);
});

test('while a row is left that no configured key reads, the old operator key cannot be dropped (AS-154, AS-150)', async (t) => {
  const site = await startSite(t);
  const { database } = site.gatewarden;
  const fresh = randomBytes(32).toString('base64');
  const keys = { ...environmentOf(site), GATEWARDEN_SECRET_KEY: `${fresh},${site.key}` };
  await database.rows(
    sql`insert into mails (environment_id, id, recipient, subject, text_body, html_body, created_at, expires_at)
      values ('env_1', 'eml_1', 'a@example.com', 'plain', '', '', now(), now())`,
  );

  const outcome = await command(['rekey'], keys);

  assert.equal(outcome.code, 1);
  assert.match(outcome.errors, /no configured key reads mails\.subject of eml_1/);
  const alone = { ...keys, GATEWARDEN_SECRET_KEY: fresh };
  assert.match((await command(['keys', 'list'], alone)).errors, /add the old key behind a comma/);
  await database.rows(sql`delete from mails where id = 'eml_1'`);
  assert.equal((await command(['rekey'], keys)).code, 0);
  assert.equal((await command(['keys', 'list'], alone)).code, 0);
});

test('an embedded database is opened by its folder, and only while no server has it (AS-154)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-operator-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const data = join(folder, 'data');
  const { child, ended } = await spawnDev(t, {
    cwd: folder,
    flags: ['--port', '0', '--data-dir', data],
  });
  const list = ['keys', 'list', '--json', '--data-dir', data];

  const busy = await command(list, {});
  child.kill('SIGTERM');
  await ended;
  const free = await command(list, {});

  assert.equal(busy.code, 1);
  assert.match(busy.errors, /in use|another process/i);
  assert.equal(free.code, 0, free.errors);
  assert.equal(JSON.parse(free.out).keys.length, 3);
});
