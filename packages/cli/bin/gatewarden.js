#!/usr/bin/env node
// The gatewarden command. Plain JavaScript, so that a Node.js too old for the TypeScript sources can still say so:
// it runs the sources itself, or starts the Node.js version pinned in the lock file, or ends with one sentence.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** The Node.js binary that was installed with this package, if there is one for this system. */
function pinnedNode() {
  const system = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${system}-${process.arch}`;
  const require = module.createRequire(import.meta.url);
  try {
    // The version is compared so that another project's older node package cannot make this file start itself for ever.
    if (!runsTypeScript(require(`${name}/package.json`).version)) return undefined;
    const file = process.platform === 'win32' ? 'node.exe' : 'node';
    const binary = require.resolve(`${name}/package.json`).replace(/package\.json$/, `bin/${file}`);
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

function fail(sentence) {
  process.stderr.write(`gatewarden: ${sentence}\n`);
  process.exitCode = 1;
}

/** Runs this file again under another Node.js, as if it were this process: same terminal, signals and exit code. */
function runUnder(binary) {
  const child = spawn(binary, process.argv.slice(1), { stdio: 'inherit' });
  const forward = (signal) => {
    // Ctrl-C reaches the whole foreground group: sending it on as well would look like a second, impatient one.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  if (process.platform !== 'win32') for (const signal of FORWARDED) process.on(signal, forward);
  child.on('error', (error) =>
    fail(`cannot start the pinned Node.js ${binary}: ${error.message}.`),
  );
  child.on('exit', (code, signal) => {
    for (const name of FORWARDED) process.removeListener(name, forward);
    if (signal) process.kill(process.pid, signal);
    else process.exitCode = code ?? 1;
  });
}

async function runHere() {
  // Compiled code is kept from run to run, which saves half of the time to start.
  module.enableCompileCache?.();
  const source = new URL('../src/index.ts', import.meta.url);
  const built = new URL('../dist/index.js', import.meta.url);
  const { main } = await import((existsSync(source) ? source : built).href);
  const code = await main(process.argv.slice(2));
  if (typeof code === 'number') process.exitCode = code;
}

if (runsTypeScript(process.version)) {
  await runHere();
} else {
  const binary = pinnedNode();
  if (binary) runUnder(binary);
  else
    fail(
      `Node.js ${process.version} is too old; install Node.js 22.18 or later, or reinstall with optional dependencies.`,
    );
}
