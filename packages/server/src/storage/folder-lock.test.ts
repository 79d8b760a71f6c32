import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
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

async function lockIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /^gatewarden\.lock\.\d+$/.test(name));
  const number = (name: string) => Number(name.split('.').at(-1));
  return join(folder, names.sort((one, other) => number(other) - number(one))[0] ?? 'none');
}

async function forge(folder: string, change: object): Promise<void> {
  const lock = await lockFolder(folder);
  const path = await lockIn(folder);
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
  for (let round = 0; round < 15; round++) {
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
    assert.ok((await readdir(folder)).length <= 2, 'old locks are removed');
  }
});

test('a holder in another container is believed while it keeps touching its lock, and taken over when it stopped', async (t) => {
  const folder = await temporary(t);
  await forge(folder, { pid: 1, machine: 'another machine' });
  const path = await lockIn(folder);
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
  const path = await lockIn(folder);
  const holder: object = JSON.parse(await readFile(path, 'utf8'));
  // As another container would see it.
  await writeFile(path, JSON.stringify({ ...holder, machine: 'another machine' }));
  await assert.rejects(lockFolder(folder), /another machine or container/);
});

test('a lock file that is empty or not ours is taken over, never a reason to stay down', async (t) => {
  const folder = await temporary(t);
  for (const rubbish of ['', '{', '[]', '{"pid":"x"}', 'null']) {
    await writeFile(join(folder, 'gatewarden.lock.1000'), rubbish);
    await (await lockFolder(folder)).release();
  }
});

test('release leaves the lock of a successor alone', async (t) => {
  const folder = await temporary(t);
  const lock = await lockFolder(folder);
  const other = join(folder, 'other');
  await forge(other, {});
  const successor = await readFile(await lockIn(other), 'utf8');
  await writeFile(await lockIn(folder), successor);
  await lock.release();
  assert.equal(await readFile(await lockIn(folder), 'utf8'), successor);
});

test('the number of a lock is never given twice, so a rival held up between looking and taking finds itself behind', async (t) => {
  const folder = await temporary(t);
  await forge(folder, { startedAt: '1' });
  await (await lockFolder(folder)).release();
  const holder = await lockFolder(folder);
  await rm(join(folder, 'gatewarden.lock.1'), { force: true });
  await rm(join(folder, 'gatewarden.lock.2'), { force: true });
  await assert.rejects(lockFolder(folder), DataFolderInUse);
  await holder.release();
  const next = await lockFolder(folder);
  assert.equal(await lockIn(folder), join(folder, 'gatewarden.lock.4'));
  await next.release();
});

test('processes that take the lock in turns, all at once, never hold it together', async (t) => {
  const folder = await temporary(t);
  const code = `import { lockFolder } from ${JSON.stringify(module)};
    import { mkdir, rmdir } from 'node:fs/promises';
    let held = 0;
    while (held < 8) {
      const lock = await lockFolder(process.argv[1]).catch((error) => { if (error.name !== 'DataFolderInUse') throw error; });
      if (!lock) { await new Promise((resolve) => setTimeout(resolve, Math.random() * 4)); continue; }
      await mkdir(process.argv[1] + '/critical');
      await rmdir(process.argv[1] + '/critical');
      await lock.release();
      held++;
    }`;
  const run = promisify(execFile);
  const all = [0, 1, 2, 3].map(() =>
    run(process.execPath, ['--input-type=module', '-e', code, folder]),
  );
  await Promise.all(all);
});
