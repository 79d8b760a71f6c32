// All tests in one run: conformance peers installed, one PostgreSQL server for everybody, a browser where there is one.
//
//   node scripts/test.mjs [--browser] [--only GLOB] [FILE …] [options of node --test]
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { findBrowser } from './browser.mjs';
import { endAs, run } from './child.mjs';
import { ensureInstalled } from './install.mjs';
import { listFiles } from './source-files.ts';

const root = resolve(import.meta.dirname, '..');
const TESTS = ['packages/**/*.test.ts', 'conformance/**/*.test.ts', 'scripts/**/*.test.ts'];
const BROWSER = /\.browser\.test\.ts$/;

/** Which files to run, what to pass on to the runner. */
export function readArguments(args, all, matching) {
  const rest = [...args];
  const runner = [];
  let files = all;
  const named = [];
  while (rest.length > 0) {
    const arg = rest.shift();
    if (arg === '--browser') files = files.filter((path) => BROWSER.test(path));
    else if (arg === '--only') {
      const glob = rest.shift();
      if (!glob) throw new Error('--only needs a glob, for example --only "packages/server/**"');
      const chosen = new Set(matching(glob));
      files = files.filter((path) => chosen.has(path));
    } else if (arg.startsWith('-')) runner.push(arg);
    else named.push(arg);
  }
  return { files: named.length > 0 ? named : files, runner };
}

/** Starts the PostgreSQL server of this run; a server that the caller names is used as it is. */
async function startPostgres() {
  if (process.env['GATEWARDEN_TEST_POSTGRES']) return undefined;
  const { startTestPostgres } = await import('../packages/server/src/testing/postgres-server.ts');
  const server = await startTestPostgres();
  process.env['GATEWARDEN_TEST_POSTGRES'] = server.url;
  return server;
}

/** The conformance suites have their own packages and are type-checked with them. */
async function prepareConformance() {
  await ensureInstalled(join(root, 'conformance'));
  if (listFiles(root, ['conformance/**/*.ts']).length === 0) return;
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { code } = await run(process.execPath, [compiler, '-p', 'conformance'], { cwd: root });
  if (code !== 0) throw new Error('the conformance suites do not type-check');
}

async function main(args) {
  const all = listFiles(root, TESTS);
  const { files: wanted, runner } = readArguments(args, all, (glob) => listFiles(root, [glob]));
  let files = wanted.map((path) => relative(root, resolve(root, path)));
  for (const file of files)
    if (!existsSync(join(root, file))) throw new Error(`there is no test file ${file}`);

  if (files.some((path) => BROWSER.test(path))) {
    const browser = await findBrowser();
    if (browser) process.env['CHROMIUM_PATH'] = browser;
    else files = files.filter((path) => !BROWSER.test(path));
  }
  if (files.length === 0) throw new Error('no test file matches');
  if (files.some((path) => path.startsWith('conformance/'))) await prepareConformance();
  // Every test file is a process of its own that loads the same modules: what one compiled, the others need not compile again.
  process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/compiled-tests');
  const needsDatabase = files.some((path) => !path.startsWith('scripts/'));
  const postgres = needsDatabase ? await startPostgres() : undefined;

  const options = [
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    '--test-reporter=./scripts/test-reporter.mjs',
    '--test-reporter-destination=stdout',
  ];
  const ended = await run(process.execPath, [...options, ...runner, ...files], { cwd: root });
  await postgres?.stop();
  const left = wanted.length - files.length;
  if (left > 0) console.log(`${left} browser test files were skipped: there is no Chromium here.`);
  endAs(ended);
}

if (process.argv[1] === import.meta.filename) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
