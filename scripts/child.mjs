// A child process stands in for its parent: same terminal, same signals, same exit code.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** Whether a Node.js version runs the TypeScript sources as they are (type stripping without a flag). */
export function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** The Node.js binary that the lock file pins for this system, whether it is there or not. */
export function pinnedNode(root) {
  const windows = process.platform === 'win32';
  const name = `node-${windows ? 'win' : process.platform}-${process.arch}`;
  return join(root, 'node_modules', name, 'bin', windows ? 'node.exe' : 'node');
}

/** The Node.js to run the sources with: the pinned one, or the running one where none is pinned for this system. */
export function sourceNode(root) {
  const pinned = pinnedNode(root);
  if (existsSync(pinned)) return pinned;
  if (runsTypeScript(process.version)) return process.execPath;
  throw new Error(
    `no Node.js is pinned for ${process.platform}-${process.arch}; install Node.js 22.18 or later`,
  );
}

/** Runs a command to its end, handing it the signals this process gets; resolves to { code, signal }. */
export function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: 'inherit', ...options });
    const forward = (signal) => {
      // Ctrl-C reaches the whole foreground group: sending it on as well would look like a second, impatient one.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    };
    const forwards = process.platform === 'win32' ? [] : FORWARDED;
    for (const signal of forwards) process.on(signal, forward);
    const stop = () => {
      for (const signal of forwards) process.removeListener(signal, forward);
    };
    child.on('error', (error) => {
      stop();
      fail(new Error(`cannot start ${command}: ${error.message}`));
    });
    child.on('exit', (code, signal) => {
      stop();
      done({ code, signal });
    });
  });
}

/** Ends this process the way a child ended. */
export function endAs({ code, signal }) {
  if (signal) process.kill(process.pid, signal);
  else process.exitCode = code ?? 1;
}
