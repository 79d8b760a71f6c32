// Everything that can be known about the sources without running them, in less than 50 seconds.
// Each check prints what it looked at, and fails when that was nothing.
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npmCommand } from './install.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const [npm, ...npmFirst] = npmCommand();

/** A check run by Node.js: a name, a script, its arguments, and what its output must say to prove that it looked. */
const node = (name, script, args = [], looked = undefined) => ({
  name,
  command: process.execPath,
  args: [script, ...args],
  looked,
});
const ours = (name) => node(name, `scripts/${name}.ts`, [], /looked at [1-9]/);
const dryInstall = (folder) => ({
  name: `npm ci ${folder}`,
  command: npm,
  args: [
    ...npmFirst,
    'ci',
    '--dry-run',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=notice',
  ],
  cwd: folder,
  looked: /up to date|added \d+/,
});
const types = (name, project) => {
  // What was checked is remembered between runs; a change of any input is noticed by its content.
  const memory = ['--incremental', '--tsBuildInfoFile', `.cache/${project}.tsbuildinfo`];
  const args = ['-p', project, '--diagnostics', ...memory];
  return node(name, 'node_modules/typescript/bin/tsc', args, /Files: +[1-9]/);
};

// The slow ones first: the others fill the second core beside them.
const CHECKS = [
  types('types', 'tsconfig.json'),
  node(
    'biome',
    'node_modules/@biomejs/biome/bin/biome',
    ['check', '--error-on-warnings', '.'],
    /Checked [1-9]\d* file/,
  ),
  node('knip', 'node_modules/knip/bin/knip.js', ['--no-progress', '--no-config-hints']),
  types('published types', 'tsconfig.published.json'),
  node('generated code', 'packages/contract/scripts/check-generated.mjs'),
  node('wire contract', 'packages/contract/scripts/check-wire.ts', [], /looked at [1-9]/),
  dryInstall('.'),
  dryInstall('conformance'),
  node('lock files', 'scripts/complete-lockfile.mjs', ['--check'], /[1-9]\d* packages/),
  ours('check-imports'),
  ours('check-ambient'),
  ours('check-html'),
  ours('check-leftovers'),
  ours('check-threat-model'),
  node('requirements', 'scripts/requirements.mjs', ['--check'], /[1-9]\d* requirements/),
  node('storage', 'scripts/storage-tables.mjs', ['--check'], /[1-9]\d* tables/),
];

/** Runs one check to its end; its output is kept whole, so that two at once do not mix their lines. */
function runCheck({ command, args, cwd = '.', looked }) {
  return new Promise((done) => {
    const startedAt = Date.now();
    const child = spawn(command, args, { cwd: join(root, cwd), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const finish = (passed) => done({ passed, output, seconds: (Date.now() - startedAt) / 1000 });
    child.on('error', (error) => {
      output += error.message;
      finish(false);
    });
    child.on('close', (code) => {
      const proved = !looked || looked.test(output);
      if (code === 0 && !proved) output += '\nThe output does not show that it looked at anything.';
      finish(code === 0 && proved);
    });
  });
}

/** What a passed check says: the one line that tells what it looked at. */
function summaryOf(output, looked) {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return (looked && lines.find((line) => looked.test(line))) || lines.at(-1) || '';
}

async function worker(queue, failed) {
  for (let check = queue.shift(); check; check = queue.shift()) {
    const { passed, output, seconds } = await runCheck(check);
    const line = `${passed ? 'ok  ' : 'FAIL'} ${check.name.padEnd(18)} ${seconds.toFixed(1).padStart(5)} s`;
    console.log(
      passed ? `${line}  ${summaryOf(output, check.looked)}` : `${line}\n${output.trimEnd()}`,
    );
    if (!passed) failed.push(check.name);
  }
}

async function main(only) {
  const startedAt = Date.now();
  const queue = CHECKS.filter(({ name }) => only.length === 0 || only.includes(name));
  if (queue.length === 0)
    throw new Error(`no such check; there are: ${CHECKS.map(({ name }) => name).join(', ')}`);
  const failed = [];
  const count = queue.length;
  await Promise.all([worker(queue, failed), worker(queue, failed)]);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  console.log(`${count - failed.length} of ${count} checks passed in ${seconds} s`);
  if (failed.length > 0) {
    console.error(`Failed: ${failed.join(', ')}`);
    process.exitCode = 1;
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
