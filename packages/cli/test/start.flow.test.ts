import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { testPostgres } from '@gatewarden/server/testing';
import { type Cleanup, freePort, runCommand, spawnCommand, spawnDev } from './spawn-dev.ts';

const run = promisify(execFile);
const KEY = randomBytes(32).toString('base64');

async function folderFor(t: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-start-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a wrong setting stops the start with one sentence that names it, and never a secret (AS-5, AS-8, AS-69, AS-150, AS-152)', async (t) => {
  const cwd = await folderFor(t);
  const serve = {
    GATEWARDEN_URL: 'https://auth.example.com',
    GATEWARDEN_SECRET_KEY: KEY,
    DATABASE_URL: 'postgres://x@127.0.0.1:1/x',
  };
  const cases: readonly [string[], Record<string, string>, RegExp][] = [
    [['serve'], { ...serve, GATEWARDEN_URL: '' }, /GATEWARDEN_URL is not set/],
    [
      ['serve'],
      { ...serve, GATEWARDEN_URL: 'http://auth.example.com' },
      /GATEWARDEN_URL is "http:\/\/auth\.example\.com"/,
    ],
    [['serve'], { ...serve, GATEWARDEN_SECRET_KEY: '' }, /GATEWARDEN_SECRET_KEY is not set/],
    [
      ['serve'],
      { ...serve, GATEWARDEN_SECRET_KEY: 'c2hvcnQ=' },
      /GATEWARDEN_SECRET_KEY holds a value that is not base64 of 32 bytes/,
    ],
    [['serve'], { ...serve, DATABASE_URL: '' }, /DATABASE_URL is not set/],
    [
      ['serve'],
      { ...serve, DATABASE_URL: 'mysql://u:hunter2@h/d' },
      /DATABASE_URL does not begin with postgres/,
    ],
    [
      ['serve'],
      { ...serve, GATEWARDEN_ALLOW_LOOPBACK_CLIENTS: '1' },
      /GATEWARDEN_ALLOW_LOOPBACK_CLIENTS/,
    ],
    [['serve'], { ...serve, GATEWARDEN_ALLOW_TEST_USERS: '1' }, /GATEWARDEN_ALLOW_TEST_USERS/],
    [
      ['serve'],
      {
        ...serve,
        GATEWARDEN_CLIENT_ID: 'skc_123456789012345678',
        GATEWARDEN_CLIENT_SECRET: 'hunter2',
      },
      /GATEWARDEN_CLIENT_SECRET has 7 characters/,
    ],
    [['serve'], { ...serve, PORT: '99999' }, /PORT is "99999"/],
    [['serve'], serve, /the database does not answer/],
    [['dev', '--memory'], { GATEWARDEN_URL: 'http://auth.example.com' }, /GATEWARDEN_URL/],
    [['dev', '--memory'], { LOG_LEVEL: 'loud' }, /LOG_LEVEL is "loud"/],
    [
      ['dev', '--memory'],
      { GATEWARDEN_DNS_SERVERS: 'dns.example' },
      /GATEWARDEN_DNS_SERVERS has "dns.example"/,
    ],
    [
      ['dev', '--memory'],
      { SMTP_URL: 'http://u:hunter2@mail' },
      /SMTP_URL does not begin with smtp/,
    ],
    [['dev', '--host', '0.0.0.0'], {}, /--expose/],
    [['dev', '--memory'], { DATABASE_URL: serve.DATABASE_URL }, /exclude each other/],
  ];
  const check = async ([args, env, message]: (typeof cases)[number]): Promise<void> => {
    const { code, out, errors } = await runCommand(args, { cwd, env });
    assert.ok(code === 1 || code === 2, `${args.join(' ')}: ${code} ${errors}`);
    assert.match(errors, message);
    assert.equal(errors.trim().split('\n').length, 1, errors);
    assert.ok(!errors.includes('hunter2') && !errors.includes(KEY), errors);
    assert.equal(out, '');
  };
  for (let index = 0; index < cases.length; index += 4)
    await Promise.all(cases.slice(index, index + 4).map(check));
});

test('an explicit port that is taken fails, and a data folder belongs to one process', async (t) => {
  const cwd = await folderFor(t);
  const first = await spawnDev(t, { cwd, flags: ['--port', '0'] });
  const { port } = new URL(first.ready.environmentUrl);
  const taken = await runCommand(['dev', '--memory', '--port', port], { cwd });
  assert.equal(taken.code, 2);
  assert.match(taken.errors, new RegExp(`port ${port} .* is in use`));
  const second = await runCommand(['dev', '--port', '0'], { cwd });
  assert.equal(second.code, 1);
  assert.equal(second.errors.trim().split('\n').length, 1, second.errors);
  assert.match(second.errors, /in use|another process|uses/i);
  assert.equal((await fetch(`${first.ready.environmentUrl}/healthz`)).status, 200);
});

test('client id and secret survive a restart on the same folder, whose key file only the owner reads (AS-150)', async (t) => {
  const cwd = await folderFor(t);
  const first = await spawnDev(t, { cwd, flags: ['--port', '0'] });
  first.child.kill('SIGTERM');
  assert.equal(await first.ended, 0);
  const second = await spawnDev(t, { cwd, flags: ['--port', '0'] });
  assert.deepEqual(
    [second.ready.clientId, second.ready.clientSecret],
    [first.ready.clientId, first.ready.clientSecret],
  );
  const { mode } = await stat(join(cwd, '.gatewarden/secret-key'));
  assert.equal(mode & 0o077, 0);
  const token = await fetch(`${second.ready.environmentUrl}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: second.ready.clientId,
      client_secret: second.ready.clientSecret,
    }),
  });
  assert.equal(token.status, 200);
});

test('the wrong operator key stops the start instead of serving unreadable secrets (AS-150)', async (t) => {
  const cwd = await folderFor(t);
  const { url } = await testPostgres(t as never);
  const first = await spawnDev(t, {
    cwd,
    env: { DATABASE_URL: url, GATEWARDEN_SECRET_KEY: KEY },
    flags: ['--port', '0'],
  });
  first.child.kill('SIGTERM');
  await first.ended;
  const other = randomBytes(32).toString('base64');
  const wrong = await runCommand(['dev', '--port', '0'], {
    cwd,
    env: { DATABASE_URL: url, GATEWARDEN_SECRET_KEY: other },
  });
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.errors,
    /GATEWARDEN_SECRET_KEY is not the key that this database was written with/,
  );
  const rotated = await spawnDev(t, {
    cwd,
    env: { DATABASE_URL: url, GATEWARDEN_SECRET_KEY: `${other},${KEY}` },
    flags: ['--port', '0'],
  });
  assert.equal((await fetch(`${rotated.ready.environmentUrl}/readyz`)).status, 200);
});

test('SIGTERM ends the process with 0 within eleven seconds, also with half a request open', async (t) => {
  const cwd = await folderFor(t);
  const gatewarden = await spawnDev(t, {
    cwd,
    flags: ['--memory', '--port', '0', '--demo', '--demo-port', '0'],
  });
  const half = connect(Number(new URL(gatewarden.ready.environmentUrl).port), '127.0.0.1');
  half.on('error', () => undefined);
  t.after(() => void half.destroy());
  await new Promise((done) => half.once('connect', done));
  half.write('POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf');
  await new Promise((done) => setTimeout(done, 200));
  const asked = Date.now();
  gatewarden.child.kill('SIGTERM');
  assert.equal(await gatewarden.ended, 0);
  assert.ok(Date.now() - asked < 11_500, `${Date.now() - asked} ms`);
});

test('serve answers https on HTTP/1.1 and HTTP/2, refuses an older schema, and has no mailbox (AS-5, AS-8, AS-130, AS-152)', async (t) => {
  const cwd = await folderFor(t);
  const [key, cert] = [join(cwd, 'key.pem'), join(cwd, 'cert.pem')];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost',
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  const port = String(await freePort());
  const { url } = await testPostgres(t as never, { migrated: false });
  const env = {
    GATEWARDEN_URL: `https://localhost:${port}`,
    GATEWARDEN_SECRET_KEY: KEY,
    DATABASE_URL: url,
    HOST: '127.0.0.1',
    PORT: port,
    GATEWARDEN_TLS_CERT: cert,
    GATEWARDEN_TLS_KEY: key,
    GATEWARDEN_CLIENT_ID: 'skc_123456789012345678',
    GATEWARDEN_CLIENT_SECRET: 'a-secret-of-an-operator-with-length',
  };
  const older = await runCommand(['serve'], { cwd, env });
  assert.deepEqual([older.code, /gatewarden migrate/.test(older.errors)], [1, true], older.errors);
  const plan = await runCommand(['migrate', '--plan', '--json'], { cwd, env });
  const migrated = await runCommand(['migrate', '--json'], { cwd, env });
  assert.deepEqual(JSON.parse(migrated.out), {
    applied: (JSON.parse(plan.out) as { pending: string[] }).pending,
  });

  const server = spawnCommand(['serve', '--json'], { cwd, env });
  t.after(async () => {
    server.child.kill('SIGKILL');
    await server.ended;
  });
  await new Promise((done, fail) => {
    server.child.stdout?.once('data', done);
    void server.ended.then((code) => fail(new Error(`${code}: ${server.errors()}`)));
  });
  const ca = await readFile(cert);
  const get = (path: string): Promise<{ status: number; body: string; cookies: string[] }> =>
    new Promise((done, fail) => {
      request(
        {
          host: '127.0.0.1',
          port,
          path,
          ca,
          servername: 'localhost',
          headers: { host: `localhost:${port}` },
        },
        (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => {
            body += chunk.toString();
          });
          response.on('end', () =>
            done({
              status: response.statusCode ?? 0,
              body,
              cookies: response.headers['set-cookie'] ?? [],
            }),
          );
        },
      )
        .on('error', fail)
        .end();
    });
  assert.equal(
    (JSON.parse((await get('/.well-known/oauth-authorization-server')).body) as { issuer: string })
      .issuer,
    `https://localhost:${port}`,
  );
  assert.equal((await get('/dev/mailbox')).status, 404);
  assert.equal((await get('/dev/mailbox.json')).status, 404);
  const { stdout } = await run('curl', [
    '-s',
    '--http2',
    '--cacert',
    cert,
    '-o',
    '/dev/null',
    '-w',
    '%{http_version} %{http_code}',
    `https://localhost:${port}/keys`,
  ]);
  assert.equal(stdout, '2 200');
  const unknown = await run('curl', [
    '-s',
    '--cacert',
    cert,
    '-H',
    'Host: evil.example',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{size_download}',
    `https://localhost:${port}/keys`,
  ]);
  assert.equal(unknown.stdout, '404 0');
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
});

test('every command has help, and wrong use ends with 2', async (t) => {
  const cwd = await folderFor(t);
  const helps = ['', 'dev', 'serve', 'migrate', 'revoke', 'keys', 'sessions', 'rekey'].map(
    async (command) => {
      const { code, out } = await runCommand([...(command ? [command] : []), '--help'], { cwd });
      assert.equal(code, 0);
      assert.match(out, /Usage: gatewarden/);
    },
  );
  await Promise.all(helps);
  assert.equal((await runCommand(['nonsense'], { cwd })).code, 2);
  assert.equal((await runCommand(['dev', '--nonsense'], { cwd })).code, 2);
});
