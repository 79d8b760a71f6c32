import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** What `gatewarden dev --json` prints. */
export type Ready = {
  environmentUrl: string;
  clientId: string;
  clientSecret: string;
  mailboxUrl: string;
  demo: { mcpUrl: string; resourceId: string };
  pid: number;
};
export type Running = Ready & { stop(): Promise<number | null>; output(): string };

const COMMAND = resolve(import.meta.dirname, '../packages/cli/bin/gatewarden.js');

/** Starts the command as a user would, with its demo server, on free ports; stopped with the test. */
export async function startGatewarden(
  t: { after(work: () => Promise<void>): void },
  flags: readonly string[] = ['--memory'],
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-conformance-'));
  const child = spawn(
    process.execPath,
    [COMMAND, 'dev', '--demo', '--json', '--port', '0', '--demo-port', '0', ...flags],
    {
      cwd: folder,
      env: { ...process.env, LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null) child.kill('SIGTERM');
    return await ended;
  };
  t.after(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });
  const ready = await new Promise<Ready>((done, fail) => {
    createInterface({ input: child.stdout }).once('line', (line) =>
      done(JSON.parse(line) as Ready),
    );
    void ended.then((code) => fail(new Error(`gatewarden ended with ${code}: ${errors}`)));
  });
  return { ...ready, stop, output: () => errors };
}

/** A management call over REST with the environment client's token. */
export async function manage(
  gatewarden: Ready,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const token = await fetch(`${gatewarden.environmentUrl}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: gatewarden.clientId,
      client_secret: gatewarden.clientSecret,
    }),
  });
  const { access_token } = (await token.json()) as { access_token: string };
  const response = await fetch(`${gatewarden.environmentUrl}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok)
    throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}
