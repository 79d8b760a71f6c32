// Published packages are plain JavaScript with declarations, one file for each source that an entry reaches; nothing is bundled.
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ensureTemplate } from '../packages/server/src/storage/template.ts';
import { run } from './child.mjs';
import { publishedExports, publishedManifest } from './pack-manifest.mjs';
import { listFiles } from './source-files.ts';

/** Sources that are started by their path, so that nothing imports them. */
const STARTED = ['packages/server/src/storage/make-template.ts'];
/** What the build makes; everything else that `files` names is copied. */
const MADE = new Set(['dist', 'template']);

/** Every package of the repository: its folder below packages, and its manifest. */
export function readPackages(root) {
  const found = listFiles(root, ['packages/*/package.json']).map((path) => ({
    folder: basename(dirname(path)),
    manifest: JSON.parse(readFileSync(join(root, path), 'utf8')),
  }));
  if (found.length === 0) throw new Error('there is no package below packages');
  return found;
}

function entriesOf(root, { folder, manifest }) {
  const patterns = publishedExports(manifest).map(({ source }) =>
    join('packages', folder, source.replace('*', '**/*')),
  );
  const entries = listFiles(root, patterns);
  if (entries.length === 0) throw new Error(`${manifest.name} has none of ${patterns.join(', ')}`);
  return entries;
}

/** Where each import between packages leads: followed through node_modules, the compiler would take it for somebody else's code. */
function pathsOf(root, { folder, manifest }) {
  return publishedExports(manifest).map(({ subpath, source }) => [
    `${manifest.name}${subpath.slice(1)}`,
    [join(root, 'packages', folder, source)],
  ]);
}

/** Compiles what the entries reach: tests and what serves only them are left behind. */
async function compile(root, packages, out) {
  const files = [...packages.flatMap((each) => entriesOf(root, each)), ...STARTED];
  const project = join(out, 'tsconfig.json');
  writeFileSync(
    project,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        allowJs: false,
        declaration: true,
        noEmitOnError: true,
        rootDir: join(root, 'packages'),
        outDir: join(out, 'compiled'),
        paths: Object.fromEntries(packages.flatMap((each) => pathsOf(root, each))),
        typeRoots: [join(root, 'node_modules/@types')],
      },
      files: files.map((path) => join(root, path)),
      include: [],
    }),
  );
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  // Complaints go to stderr: stdout belongs to what this makes.
  const { code } = await run(process.execPath, [compiler, '-p', project], {
    stdio: ['ignore', 2, 2],
  });
  if (code !== 0) throw new Error('the packages do not compile');
}

/** Style sheets, scripts of pages and pictures: read at run time from beside the code. */
function copyAssets(root, folder, dist) {
  const source = `packages/${folder}/src`;
  const assets = listFiles(root, [`${source}/**/*.*`]).filter((path) => !/\.(ts|md)$/.test(path));
  for (const path of assets) {
    const target = join(dist, path.slice(source.length));
    if (existsSync(target)) throw new Error(`${path} has the name of a module that is built`);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(root, path), target);
  }
}

/** The migrated, empty database: a server that had to make it would need twice the memory. */
async function addTemplate(stage) {
  const template = await ensureTemplate();
  mkdirSync(join(stage, 'template'));
  copyFileSync(template, join(stage, 'template', basename(template)));
}

async function stagePackage(root, { folder, manifest }, versions, { compiled, stage }) {
  const dist = join(stage, 'dist');
  for (const below of ['src', 'gen'].map((name) => join(compiled, folder, name)))
    if (existsSync(below)) cpSync(below, dist, { recursive: true });
  copyAssets(root, folder, dist);
  for (const name of manifest.files)
    if (!MADE.has(name))
      cpSync(join(root, 'packages', folder, name), join(stage, name), { recursive: true });
  if (manifest.files.includes('template')) await addTemplate(stage);
  copyFileSync(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  const readme = join(root, 'packages', folder, 'README.md');
  if (existsSync(readme)) copyFileSync(readme, join(stage, 'README.md'));
  const published = publishedManifest(manifest, versions);
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
  return { stage, manifest: published };
}

/** Builds every package into a folder of its own below `out`; returns the folders, each with the manifest in it. */
export async function buildPackages(root, out) {
  const packages = readPackages(root);
  const versions = new Map(packages.map(({ manifest }) => [manifest.name, manifest.version]));
  await compile(root, packages, out);
  const built = [];
  for (const each of packages) {
    const stage = join(out, 'packages', each.folder);
    mkdirSync(stage, { recursive: true });
    built.push(
      await stagePackage(root, each, versions, { compiled: join(out, 'compiled'), stage }),
    );
  }
  return built;
}
