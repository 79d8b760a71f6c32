import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type Ready = {
  readonly environmentUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly mailboxUrl: string;
  readonly demo?: { readonly mcpUrl: string; readonly resourceId: string };
  readonly pid: number;
};
export type Spawned = {
  readonly ready: Ready;
  readonly child: ChildProcess;
  readonly errors: () => string;
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
};

const BIN = fileURLToPath(new URL('../bin/gatewarden.js', import.meta.url));

export type SpawnOptions = {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
};

/** What of node:test's context is needed here. */
export type Cleanup = { after(work: () => Promise<void> | void): void };

/** Starts `gatewarden dev --json` as its own process and waits until it answers. Whatever happens, it ends with the test. */
export async function spawnDev(
  t: Cleanup,
  { cwd, env = {}, flags = [] }: SpawnOptions,
): Promise<Spawned> {
  const run = spawnCommand(['dev', '--json', ...flags], { cwd, env });
  t.after(async () => {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL');
    await run.ended;
  });
  const ready = await new Promise<Ready>((done, fail) => {
    if (run.child.stdout)
      createInterface({ input: run.child.stdout }).once('line', (line) =>
        done(JSON.parse(line) as Ready),
      );
    void run.ended.then((code) =>
      fail(new Error(`gatewarden ended with ${code}: ${run.errors()}`)),
    );
  });
  return { ...run, ready };
}

/** Starts any command of the binary. */
export function spawnCommand(
  args: readonly string[],
  { cwd, env = {} }: SpawnOptions,
): Omit<Spawned, 'ready'> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { ...process.env, LOG_LEVEL: 'warn', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<number | NodeJS.Signals | null>((done) =>
    child.once('close', (code, signal) => done(code ?? signal)),
  );
  return { child, errors: () => errors, ended };
}

/** Runs a command to its end. */
export async function runCommand(
  args: readonly string[],
  options: SpawnOptions,
): Promise<{ code: number | NodeJS.Signals | null; out: string; errors: string }> {
  const run = spawnCommand(args, options);
  let out = '';
  run.child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  const code = await run.ended;
  return { code, out, errors: run.errors() };
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (typeof address !== 'object' || !address) throw new Error('no port was free');
  return address.port;
}
