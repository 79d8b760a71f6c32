// Builds every publishable package, packs it as npm would publish it, and looks at the result.
//
//   node scripts/pack.mjs [FOLDER]      writes the tarballs to FOLDER, or to a new temporary folder
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { npmCommand } from './install.mjs';
import { buildPackages } from './pack-build.mjs';
import { lintPacked } from './pack-lint.mjs';

const root = resolve(import.meta.dirname, '..');

async function npmPack(built, out) {
  const [npm, ...first] = npmCommand();
  const stages = built.map(({ stage }) => stage);
  const options = ['--pack-destination', out, '--ignore-scripts', '--json'];
  const { stdout } = await promisify(execFile)(npm, [...first, 'pack', ...stages, ...options], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const packed = new Map(JSON.parse(stdout).map((each) => [each.name, each]));
  return built.map(({ manifest }) => {
    const each = packed.get(manifest.name);
    if (!each) throw new Error(`npm did not pack ${manifest.name}`);
    const files = each.files.map(({ path }) => path);
    return { manifest, tarball: join(out, basename(each.filename)), files };
  });
}

/**
 * Packs every package into a folder.
 *
 * @param {string} out
 * @returns {Promise<{ manifest: { name: string, dependencies?: Record<string, string> }, tarball: string, files: string[] }[]>} in `files` their paths
 * @throws {Error} a package does not build, or its users' tools would complain of it
 */
export async function pack(out) {
  const work = mkdtempSync(join(tmpdir(), 'gatewarden-pack-'));
  try {
    mkdirSync(out, { recursive: true });
    const packed = await npmPack(await buildPackages(root, work), out);
    const complaints = [];
    // One after the other: each holds a compiler, and two cores are busy with one package already.
    for (const each of packed)
      for (const complaint of await lintPacked(root, each))
        complaints.push(`${each.manifest.name}: ${complaint}`);
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
    return packed;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function main([folder]) {
  const out = folder ? resolve(folder) : mkdtempSync(join(tmpdir(), 'gatewarden-packed-'));
  for (const { tarball, files } of await pack(out)) {
    const kilobytes = Math.ceil(statSync(tarball).size / 1024);
    console.log(`${tarball}  ${kilobytes} kB, ${files.length} files`);
  }
}

if (process.argv[1] === import.meta.filename) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
