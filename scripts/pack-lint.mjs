// A packed package is looked at as its users' tools will: publint for the package, arethetypeswrong for its types.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

async function lintPackage(tarball) {
  const bytes = new Uint8Array(readFileSync(tarball));
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`);
}

/** The subpaths of a package that have types: a pattern stands for each file that it matches. */
function typedSubpaths({ exports }, files) {
  return Object.entries(exports).flatMap(([subpath, { types }]) => {
    if (!types) return [];
    if (!subpath.includes('*')) return [subpath];
    const [before, after] = types.replace('./', '').split('*');
    return files
      .filter((path) => path.startsWith(before) && path.endsWith(after))
      .map((path) => subpath.replace('*', path.slice(before.length, -after.length)));
  });
}

/** Whether the types resolve for TypeScript as modules and in bundlers; there is no CommonJS. */
async function lintTypes(root, { tarball, manifest, files }) {
  const subpaths = typedSubpaths(manifest, files);
  if (subpaths.length === 0) return [`arethetypeswrong: ${manifest.name} has no types`];
  const script = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const format = ['--profile', 'esm-only', '--format', 'ascii', '--no-color', '--no-emoji'];
  const { error, output } = await new Promise((done) => {
    execFile(
      process.execPath,
      [script, tarball, ...format, '--entrypoints', ...subpaths],
      (error, stdout, stderr) => done({ error, output: `${stdout}${stderr}` }),
    );
  });
  // Its exit code alone does not show that it looked at every entry.
  const good = output.match(/^node16 \(from ESM\): OK \(ESM\)$/gm) ?? [];
  if (!error && good.length === subpaths.length) return [];
  return [`arethetypeswrong: ${output.trim()}`];
}

/**
 * What is wrong with a packed package, in sentences; nothing when it can be published.
 *
 * @param packed its tarball, the manifest in it and the paths of its files
 */
export async function lintPacked(root, packed) {
  const found = await Promise.all([lintPackage(packed.tarball), lintTypes(root, packed)]);
  return found.flat();
}
