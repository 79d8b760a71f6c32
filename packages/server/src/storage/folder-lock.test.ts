import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DataFolderInUse, lockFolder } from './folder-lock.ts';

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-lock-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const module = new URL('./folder-lock.ts', import.meta.url).href;

/** A process that has taken the lock, or the first line of why it could not. */
async function locked(folder: string): Promise<{ child: ChildProcess; said: string }> {
  const code = `import { lockFolder } from ${JSON.stringify(module)};
    const lock = await lockFolder(process.argv[1]).catch((error) => error);
    console.log(lock instanceof Error ? lock.message : 'locked');
    if (!(lock instanceof Error)) setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await new Promise<string>((resolve) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      if (output.includes('\n')) resolve(output.trim());
    });
  });
  return { child, said };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('exit', resolve));
}

async function forge(folder: string, change: object): Promise<void> {
  const lock = await lockFolder(folder);
  const path = join(folder, 'gatewarden.lock');
  const holder: object = JSON.parse(await readFile(path, 'utf8'));
  await lock.release();
  await writeFile(path, JSON.stringify({ ...holder, nonce: 'other', ...change }));
}

test('a folder in use is refused in one sentence that names folder and process, and is free after release', async (t) => {
  const folder = await temporary(t);
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), (error) => {
    assert.ok(error instanceof DataFolderInUse);
    assert.equal(
      error.message,
      `The data folder ${folder} is in use by process ${process.pid}; stop it, or choose another folder.`,
    );
    return true;
  });
  const { said } = await locked(folder);
  assert.match(said, new RegExp(`in use by process ${process.pid};`));
  await lock.release();
  await (await lockFolder(folder)).release();
  assert.deepEqual(await readdir(folder), []);
});

test('the lock of a process that was killed is taken over at once', async (t) => {
  const folder = await temporary(t);
  const { child, said } = await locked(folder);
  assert.equal(said, 'locked');
  await assert.rejects(lockFolder(folder), DataFolderInUse);
  await kill(child);
  const lock = await lockFolder(folder);
  await lock.release();
});

test('a recycled process id does not look like the holder: a living process with another start is not it', async (t) => {
  const folder = await temporary(t);
  await forge(folder, { startedAt: '1' });
  await (await lockFolder(folder)).release();
});

test('of many that find a dead holder at once exactly one takes over', async (t) => {
  const folder = await temporary(t);
  for (let round = 0; round < 5; round++) {
    await forge(folder, { pid: 2 ** 22 + 1, startedAt: '1' });
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => lockFolder(folder)));
    const winners = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    const losers = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason] : [],
    );
    assert.ok(
      winners.length <= 1 && losers.every((error) => error instanceof DataFolderInUse),
      `${winners.length} winners`,
    );
    assert.equal(winners.length, 1);
    await winners[0]?.release();
    assert.deepEqual(await readdir(folder), []);
  }
});

test('a holder in another container is believed while it keeps touching its lock, and taken over when it stopped', async (t) => {
  const folder = await temporary(t);
  const path = join(folder, 'gatewarden.lock');
  await forge(folder, { pid: 1, machine: 'another machine' });
  const beat = setInterval(() => {
    utimes(path, Math.random() * 1e9, Math.random() * 1e9).catch(() => undefined);
  }, 200);
  try {
    await assert.rejects(lockFolder(folder), /process 1 of another machine or container/);
  } finally {
    clearInterval(beat);
  }
  await (await lockFolder(folder)).release();
});

test('the holder touches its lock, so that other containers see it live', async (t) => {
  const folder = await temporary(t);
  const { child } = await locked(folder);
  t.after(() => kill(child));
  const path = join(folder, 'gatewarden.lock');
  const holder: object = JSON.parse(await readFile(path, 'utf8'));
  // As another container would see it.
  await writeFile(path, JSON.stringify({ ...holder, machine: 'another machine' }));
  await assert.rejects(lockFolder(folder), /another machine or container/);
});

test('a lock file that is empty or not ours is taken over, never a reason to stay down', async (t) => {
  const folder = await temporary(t);
  for (const rubbish of ['', '{', '[]', '{"pid":"x"}', 'null']) {
    await writeFile(join(folder, 'gatewarden.lock'), rubbish);
    await (await lockFolder(folder)).release();
  }
});

test('release leaves the lock of a successor alone', async (t) => {
  const folder = await temporary(t);
  const lock = await lockFolder(folder);
  await forge(join(folder, 'other'), {});
  await writeFile(
    join(folder, 'gatewarden.lock'),
    await readFile(join(folder, 'other/gatewarden.lock')),
  );
  await lock.release();
  assert.ok((await readdir(folder)).includes('gatewarden.lock'));
});
