// What a package says of itself once published: built files instead of sources, and exact versions of its siblings.

/** Subpaths that serve the tests of this repository; they need packages that nobody installs with the published ones. */
const isForTests = (subpath) => /^\.\/testing(\/|$)/.test(subpath);

/** Path below dist of a source that is named in `exports`: `./src/a/b.ts` is `a/b`. */
export function builtPath(source) {
  const match = /^\.\/(?:src|gen)\/(.+)\.ts$/.exec(source);
  if (!match) throw new Error(`"${source}" in exports is not a TypeScript source below src or gen`);
  return match[1];
}

/** The subpaths that are published, each with its source. */
export function publishedExports(manifest) {
  const sources = Object.entries(manifest.exports).filter(([subpath]) => !isForTests(subpath));
  if (sources.length === 0) throw new Error(`${manifest.name} exports nothing`);
  return sources.map(([subpath, { default: source }]) => ({ subpath, source }));
}

/**
 * The package.json of the published package.
 *
 * @param manifest the one in the repository
 * @param versions name and version of every package that is published together
 * @throws {Error} a dependency is not pinned, a sibling is not of this version, or something a user needs is not said
 */
export function publishedManifest(manifest, versions) {
  const { private: _private, scripts: _scripts, devDependencies: _dev, ...kept } = manifest;
  for (const field of ['version', 'description', 'license', 'engines', 'files'])
    if (!kept[field]) throw new Error(`${manifest.name}: package.json says nothing of ${field}`);
  const pinned = { ...kept.dependencies, ...kept.optionalDependencies };
  for (const [name, range] of Object.entries(pinned)) {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range))
      throw new Error(
        `${manifest.name} needs ${name} ${range}; a dependency has one exact version`,
      );
    const sibling = versions.get(name);
    if (sibling ? sibling !== range : name.startsWith('@gatewarden/'))
      throw new Error(`${manifest.name} needs ${name} ${range}, which is not published with it`);
  }
  const exports = publishedExports(manifest).map(({ subpath, source }) => {
    const file = `./dist/${builtPath(source)}`;
    return [subpath, { types: `${file}.d.ts`, default: `${file}.js` }];
  });
  return {
    ...kept,
    exports: { ...Object.fromEntries(exports), './package.json': './package.json' },
    publishConfig: { access: 'public' },
  };
}
