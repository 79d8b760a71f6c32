import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from './run-command.ts';

const secret = 'live_4f9a1d27c0b84e6f8a35d2e917b6c3f0';
const good = {
  GATEWARDEN_ENVIRONMENT_URL: 'https://auth.example.com',
  GATEWARDEN_CLIENT_ID: 'skc_100000000000001',
  GATEWARDEN_CLIENT_SECRET: secret,
};

type Row = readonly [what: string, change: Record<string, string | undefined>, ids: string[]];

const rows: readonly Row[] = [
  ['a complete environment', {}, []],
  ['a local server', { GATEWARDEN_ENVIRONMENT_URL: 'http://localhost:8080' }, []],
  ['an IPv6 loopback server', { GATEWARDEN_ENVIRONMENT_URL: 'http://[::1]:8080' }, []],
  ['the vendor', { GATEWARDEN_ENVIRONMENT_URL: 'https://acme.scalekit.dev' }, []],
  ['no URL', { GATEWARDEN_ENVIRONMENT_URL: undefined }, ['ENV_MISSING']],
  ['an empty client id', { GATEWARDEN_CLIENT_ID: '' }, ['ENV_MISSING']],
  ['no secret', { GATEWARDEN_CLIENT_SECRET: undefined }, ['ENV_MISSING']],
  [
    'a look-alike',
    { GATEWARDEN_ENVIRONMENT_URL: 'https://scalekit.com.evil.example' },
    ['URL_LOOKALIKE'],
  ],
  [
    'a name glued to it',
    { GATEWARDEN_ENVIRONMENT_URL: 'https://xscalekit.com' },
    ['URL_LOOKALIKE'],
  ],
  ['http at another machine', { GATEWARDEN_ENVIRONMENT_URL: 'http://prod' }, ['URL_INSECURE']],
  [
    'http at a public name',
    { GATEWARDEN_ENVIRONMENT_URL: 'http://localhost.evil.example' },
    ['URL_INSECURE'],
  ],
  ['no scheme', { GATEWARDEN_ENVIRONMENT_URL: 'auth.example.com' }, ['URL_INVALID']],
  ['another scheme', { GATEWARDEN_ENVIRONMENT_URL: 'javascript:alert(1)' }, ['URL_INVALID']],
  [
    'two schemes',
    { GATEWARDEN_ENVIRONMENT_URL: 'https://https://auth.example.com' },
    ['URL_INVALID'],
  ],
  [
    'user information',
    { GATEWARDEN_ENVIRONMENT_URL: 'https://a:b@auth.example.com' },
    ['URL_INVALID'],
  ],
  ['a query', { GATEWARDEN_ENVIRONMENT_URL: 'https://auth.example.com?x=1' }, ['URL_INVALID']],
  [
    'a trailing slash',
    { GATEWARDEN_ENVIRONMENT_URL: 'https://auth.example.com/' },
    ['URL_TRAILING_SLASH'],
  ],
  ['a path', { GATEWARDEN_ENVIRONMENT_URL: 'https://auth.example.com/oauth' }, ['URL_HAS_PATH']],
  ['a placeholder', { GATEWARDEN_ENVIRONMENT_URL: 'https://<your-env>' }, ['PLACEHOLDER']],
  ['quotation marks', { GATEWARDEN_CLIENT_ID: '"skc_100000000000001"' }, ['VALUE_QUOTED']],
  ['a secret as client id', { GATEWARDEN_CLIENT_ID: secret }, ['CLIENT_ID_SHAPE']],
  [
    'a client id as secret',
    { GATEWARDEN_CLIENT_SECRET: 'skc_100000000000001' },
    ['SECRET_IS_CLIENT_ID'],
  ],
  [
    'a placeholder secret',
    { GATEWARDEN_CLIENT_SECRET: 'your-client-secret-goes-here-please' },
    ['PLACEHOLDER'],
  ],
  ['half a secret', { GATEWARDEN_CLIENT_SECRET: secret.slice(0, 12) }, ['SECRET_SHAPE']],
  ['a secret with a line end', { GATEWARDEN_CLIENT_SECRET: `${secret}\n` }, ['VALUE_SPACES']],
  ['another resource', { GATEWARDEN_RESOURCE_ID: 'mcp-server' }, ['RESOURCE_ID_SHAPE']],
  [
    'the older prefix alone',
    { GATEWARDEN_CLIENT_ID: undefined, SCALEKIT_CLIENT_ID: 'skc_100000000000002' },
    [],
  ],
  ['two that agree', { SCALEKIT_CLIENT_ID: good.GATEWARDEN_CLIENT_ID }, []],
  ['two that differ', { SCALEKIT_CLIENT_SECRET: `${secret}9` }, ['ENV_CONFLICT']],
  ['an old name', { SK_ENV_URL: 'https://auth.example.com' }, ['ENV_OLD_NAME']],
  ['another old name', { SCALEKIT_ENV_URL: 'https://auth.example.com' }, ['ENV_OLD_NAME']],
  ['a relative callback', { CALLBACK_URL: '/auth/callback' }, ['URL_INVALID']],
  [
    'a callback at another host',
    { CALLBACK_URL: 'https://app.example.com/cb', APP_URL: 'https://www.example.com' },
    ['URL_OTHER_HOST'],
  ],
  [
    'open cookies',
    { APP_URL: 'https://app.example.com', COOKIE_SECURE: 'false' },
    ['COOKIE_NOT_SECURE'],
  ],
  [
    'lost cookies',
    { APP_URL: 'http://localhost:3000', COOKIE_SECURE: 'true' },
    ['COOKIE_SECURE_ON_HTTP'],
  ],
  ['cookies by another word', { COOKIE_SECURE: 'yes' }, ['COOKIE_SECURE_SHAPE']],
];

for (const [what, change, ids] of rows) {
  test(`validate: ${what} (SKILL-42, SKILL-4)`, async () => {
    const env = { ...good, ...change };
    const { code, out } = await runCommand(['validate', '--json'], env);
    const report: { ok: boolean; findings: { id: string; severity: string; fix: string }[] } =
      JSON.parse(out);
    assert.deepEqual(report.findings.map(({ id }) => id).sort(), [...ids].sort());
    assert.equal(report.ok, !report.findings.some(({ severity }) => severity === 'error'));
    assert.equal(code, report.ok ? 0 : 1);
    assert.ok(report.findings.every(({ fix }) => fix !== ''));
    for (const [name, value] of Object.entries(env))
      if (name.endsWith('_SECRET') && value)
        assert.ok(!out.includes(value.trim().slice(0, 8)), 'a part of a secret is shown');
  });
}

test('validate: no part of a secret is shown to people either (SKILL-42)', async () => {
  const { code, out } = await runCommand(['validate'], good);
  assert.equal(code, 0);
  assert.match(out, /37 characters, SHA-256 [0-9a-f]{8}…/);
  assert.ok(!out.includes(secret.slice(0, 4)));
});

test('validate: a user name and password in an address are not repeated (SKILL-42)', async () => {
  const { out } = await runCommand(['validate'], {
    ...good,
    APP_URL: 'admin:hunter2@app.example.com',
  });
  assert.ok(!out.includes('hunter2'));
});

test('validate: --env-file counts over the process, and a missing one is wrong use (SKILL-65)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-validate-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, '.env');
  await writeFile(file, 'GATEWARDEN_CLIENT_ID="nonsense"\nCOOKIE_SECURE=perhaps\n');
  const { code, out } = await runCommand(['validate', '--json', '--env-file', file], good);
  assert.equal(code, 1);
  assert.deepEqual(
    JSON.parse(out).findings.map(({ id }: { id: string }) => id),
    ['CLIENT_ID_SHAPE', 'COOKIE_SECURE_SHAPE'],
  );
  const missing = await runCommand(['validate', '--env-file', join(folder, 'none')], good);
  assert.deepEqual([missing.code, missing.out], [2, '']);
  assert.match(missing.err, /cannot be read \(ENOENT\)/);
});

test('validate: a secret that was put into another variable is not shown either (SKILL-42, secrets in output)', async () => {
  const names = [
    'GATEWARDEN_ENVIRONMENT_URL',
    'GATEWARDEN_CLIENT_ID',
    'GATEWARDEN_RESOURCE_ID',
    'CALLBACK_URL',
    'POST_LOGOUT_URL',
    'APP_URL',
    'COOKIE_SECURE',
  ];
  for (const name of names)
    for (const flags of [[], ['--json']])
      for (const misplaced of [secret, `https://app.example.com/${secret}/`, `http://${secret}`]) {
        const { out } = await runCommand(['validate', ...flags], { ...good, [name]: misplaced });
        assert.ok(!out.includes(secret.slice(0, 8)), `${name} ${misplaced} ${out}`);
      }
});

test('validate: an env file that is no ordinary text file is wrong use, and is not waited for or read to its end (SKILL-65, denial of service)', {
  timeout: 20_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-validate-'));
  t.after(() => rm(folder, { recursive: true }));
  const [huge, binary] = [join(folder, 'huge'), join(folder, 'binary')];
  await writeFile(huge, Buffer.alloc(1_048_577, 'A'));
  await writeFile(binary, 'COOKIE_SECURE=true\n\0\0');
  const pipe = join(folder, 'pipe');
  const made = spawnSync('mkfifo', [pipe]);
  const rows: [string, RegExp][] = [
    [folder, /is no file/],
    ['/dev/zero', /is no file/],
    [huge, /larger than 1 MiB/],
    [binary, /is no text/],
    ...(made.status === 0 ? [[pipe, /is no file/] as [string, RegExp]] : []),
  ];
  for (const [path, reason] of rows) {
    const { code, out, err } = await runCommand(['validate', '--json', '--env-file', path], good);
    assert.deepEqual([code, out], [2, ''], path);
    assert.match(err, reason);
  }
});
