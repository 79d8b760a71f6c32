import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const SUITE = resolve(
  import.meta.dirname,
  '../node_modules/@modelcontextprotocol/conformance/dist/index.js',
);

type Cleanup = { after(work: () => Promise<void> | void): void };

/** Listens on a free port of this machine until the test ends. */
export async function listen(t: Cleanup, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/**
 * Passes everything on to a port that is known later and adds a token, since the suite sends none. Nothing else is
 * changed, `Host` included; bytes are passed on as they come.
 */
export async function tokenAdder(
  t: Cleanup,
  token: () => Promise<string>,
): Promise<{ port: number; lead(to: number): void }> {
  let target = 0;
  const port = await listen(t, async (incoming, outgoing) => {
    const headers = [...incoming.rawHeaders, 'Authorization', `Bearer ${await token()}`];
    const onward = httpRequest(
      {
        host: '127.0.0.1',
        port: target,
        method: incoming.method,
        path: incoming.url,
        headers,
        agent: false,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  return {
    port,
    lead(to) {
      target = to;
    },
  };
}

/** Runs the scenarios that a revision requires of servers; gives `scenario/check: status`, sorted. */
export async function runSuite(t: Cleanup, url: string, revision: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-server-suite-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const args = ['server', '--url', url, '--requirements', revision, '--output-dir', folder];
  const child = spawn(process.execPath, [SUITE, ...args], { stdio: 'ignore' });
  t.after(() => {
    if (child.exitCode === null) child.kill('SIGKILL');
  });
  await new Promise((done) => child.once('exit', done));
  const files = (await readdir(folder, { recursive: true })).filter((name) =>
    name.endsWith('checks.json'),
  );
  const lists = await Promise.all(
    files.map(async (name) => {
      // Folders are named by scenario and time.
      const scenario = (name.split('/').at(-2) ?? '').replace(/-\d{4}-\d\d-\d\dT.*$/, '');
      const checks: { id: string; status: string }[] = JSON.parse(
        await readFile(join(folder, name), 'utf8'),
      );
      return checks.map(({ id, status }) => `${scenario}/${id}: ${status}`);
    }),
  );
  return lists.flat().sort();
}
