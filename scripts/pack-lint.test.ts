import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { npmCommand } from './install.mjs';
import { lintPacked } from './pack-lint.mjs';
import { plant } from './test-plant.ts';

const root = resolve(import.meta.dirname, '..');

/** Packs a package with these files, and lists what is wrong with it. */
async function complaintsOf(
  t: TestContext,
  exports: Record<string, { types?: string; default: string }>,
  files: Record<string, string>,
): Promise<string> {
  const manifest = {
    name: 'planted',
    version: '1.0.0',
    type: 'module',
    license: 'Apache-2.0',
    files: ['dist'],
    exports,
  };
  const folder = plant(t, { 'package.json': JSON.stringify(manifest), ...files });
  const [npm = 'npm', ...first] = npmCommand();
  execFileSync(npm, [...first, 'pack', '--ignore-scripts'], { cwd: folder, stdio: 'ignore' });
  const tarball = join(folder, 'planted-1.0.0.tgz');
  const found = await lintPacked(root, { tarball, manifest, files: Object.keys(files) });
  return found.join('\n');
}

const good = {
  'dist/a.js': 'export const a = 1;\n',
  'dist/a.d.ts': "export { a } from './b.ts';\n",
  'dist/b.js': 'export const a = 1;\n',
  'dist/b.d.ts': 'export declare const a: number;\n',
};
const all = { './*': { types: './dist/*.d.ts', default: './dist/*.js' } };

test('a package whose entries have modules and types is left alone', async (t) => {
  assert.equal(await complaintsOf(t, all, good), '');
});

test('a module that another one needs and that was not packed, and an entry without its module, are found', async (t) => {
  const { 'dist/b.js': _module, 'dist/b.d.ts': _declaration, ...files } = good;

  assert.match(await complaintsOf(t, all, files), /arethetypeswrong: .*Internal resolution error/s);
  const exports = { '.': { types: './dist/a.d.ts', default: './dist/gone.js' } };
  assert.match(await complaintsOf(t, exports, good), /publint: .*dist\/gone\.js/);
});

test('CommonJS that calls itself a module, and a package without any types, are found', async (t) => {
  const files = { ...good, 'dist/a.js': 'exports.a = 1;\n' };

  assert.match(await complaintsOf(t, all, files), /publint: .*dist\/a\.js/);
  const untyped = { '.': { default: './dist/a.js' } };
  assert.match(await complaintsOf(t, untyped, good), /planted has no types/);
});
