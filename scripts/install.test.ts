import assert from 'node:assert/strict';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ensureInstalled, isInstalled, withLock } from './install.mjs';
import { plant } from './test-plant.ts';

/** Stands in for npm ci: counts, takes a moment, and leaves what npm leaves. */
function fakeInstall(): { install: (folder: string) => Promise<void>; runs: () => number } {
  let runs = 0;
  const install = async (folder: string): Promise<void> => {
    runs += 1;
    await new Promise((done) => setTimeout(done, 50));
    mkdirSync(join(folder, 'node_modules'), { recursive: true });
  };
  return { install, runs: () => runs };
}

test('packages are installed once, and again when the lock file has changed', async (t) => {
  const root = plant(t, { 'package-lock.json': '{"a":1}' });
  const { install, runs } = fakeInstall();

  assert.equal(await ensureInstalled(root, install), true);
  assert.equal(await ensureInstalled(root, install), false);
  writeFileSync(join(root, 'package-lock.json'), '{"a":2}');
  assert.equal(await ensureInstalled(root, install), true);

  assert.equal(runs(), 2);
});

test('two commands started at once install one time', async (t) => {
  const root = plant(t, { 'package-lock.json': '{}' });
  const { install, runs } = fakeInstall();

  await Promise.all([1, 2, 3].map(() => ensureInstalled(root, install)));

  assert.equal(runs(), 1);
});

test('an install that failed is not taken for done, and frees the lock', async (t) => {
  const root = plant(t, { 'package-lock.json': '{}' });
  const broken = (): Promise<void> => Promise.reject(new Error('no network'));

  await assert.rejects(ensureInstalled(root, broken), /no network/);

  assert.equal(isInstalled(root), false);
  assert.equal(existsSync(join(root, '.cache/install.lock')), false);
});

test('the lock of a process that was killed is taken over', async (t) => {
  // No process has this id: Linux and macOS end below it.
  const root = plant(t, { lock: JSON.stringify({ id: 'gone', pid: 2 ** 30 }) });

  assert.equal(await withLock(join(root, 'lock'), () => Promise.resolve('done')), 'done');
  assert.equal(existsSync(join(root, 'lock')), false);
});

test('packages that npm itself installed after the last change of the lock file are not installed again', (t) => {
  const root = plant(t, { 'package-lock.json': '{}', 'node_modules/.package-lock.json': '{}' });
  const lock = join(root, 'package-lock.json');

  utimesSync(lock, 1, 1);
  assert.equal(isInstalled(root), true);
  utimesSync(lock, 4e9, 4e9);
  assert.equal(isInstalled(root), false);
});
