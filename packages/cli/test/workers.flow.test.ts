import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testPostgres } from '@gatewarden/server/testing';
import { freePort, runCommand, spawnCommand } from './spawn-dev.ts';

test('several workers share one port, a dead one is replaced, and a signal ends all of them in order (AS-142)', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'gatewarden-workers-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const { url } = await testPostgres(t);
  const port = await freePort();
  const env = {
    GATEWARDEN_URL: 'https://auth.example.com',
    GATEWARDEN_SECRET_KEY: randomBytes(32).toString('base64'),
    DATABASE_URL: url,
    HOST: '127.0.0.1',
    PORT: String(port),
    GATEWARDEN_WORKERS: '2',
  };

  const run = spawnCommand(['serve', '--json'], { cwd, env });
  t.after(async () => {
    run.child.kill('SIGKILL');
    for (const pid of workersOf(run.child.pid)) process.kill(pid, 'SIGKILL');
    await run.ended;
  });
  const ready = await new Promise<{ clientSecret?: string }>((done, fail) => {
    run.child.stdout?.once('data', (chunk: Buffer) =>
      done(JSON.parse(chunk.toString()) as { clientSecret?: string }),
    );
    void run.ended.then((code) => fail(new Error(`${code}: ${run.errors()}`)));
  });
  assert.match(ready.clientSecret ?? '', /^gws_/, 'the new client is shown once');
  const both = await until(
    () => workersOf(run.child.pid),
    (pids) => pids.length === 2,
  );
  assert.equal(await status(port), 200);

  const [victim] = both;
  assert.ok(victim);
  process.kill(victim, 'SIGKILL');
  const after = await until(
    () => workersOf(run.child.pid),
    (pids) => pids.length === 2 && !pids.includes(victim),
  );
  await until(
    () => status(port),
    (code) => code === 200,
  );
  assert.match(run.errors(), new RegExp(`worker ${victim} ended \\(SIGKILL\\); starting another`));

  run.child.kill('SIGTERM');
  assert.equal(await run.ended, 0);
  for (const pid of after) assert.throws(() => process.kill(pid, 0), /ESRCH/);
});

test('a number of workers that cannot be is refused, and a start that fails says why once', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'gatewarden-workers-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const env = {
    GATEWARDEN_URL: 'https://auth.example.com',
    GATEWARDEN_SECRET_KEY: randomBytes(32).toString('base64'),
    DATABASE_URL: 'postgres://x@127.0.0.1:1/x',
    PORT: '0',
  };
  for (const workers of ['0', '65', 'many', '-1'])
    assert.match(
      (await runCommand(['serve'], { cwd, env: { ...env, GATEWARDEN_WORKERS: workers } })).errors,
      /GATEWARDEN_WORKERS is/,
    );
  assert.match(
    (
      await runCommand(['serve', '--embedded'], {
        cwd,
        env: { ...env, DATABASE_URL: '', GATEWARDEN_WORKERS: '2' },
      })
    ).errors,
    /room for one process/,
  );
  const failed = await runCommand(['serve'], { cwd, env: { ...env, GATEWARDEN_WORKERS: '3' } });
  assert.equal(failed.code, 1);
  assert.equal(failed.errors.match(/the database does not answer/g)?.length, 1, failed.errors);
});

function workersOf(parent: number | undefined): number[] {
  try {
    return execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent)])
      .toString()
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch {
    return [];
  }
}

async function status(port: number): Promise<number> {
  return await new Promise((done) => {
    const sent = request({ host: '127.0.0.1', port, path: '/readyz' }, (response) => {
      response.resume();
      done(response.statusCode ?? 0);
    });
    sent.on('error', () => done(0));
    sent.end();
  });
}

async function until<T>(look: () => T | Promise<T>, isRight: (seen: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 200; tries += 1) {
    const seen = await look();
    if (isRight(seen)) return seen;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail('it did not come to be within 20 s');
}
