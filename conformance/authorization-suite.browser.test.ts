import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { startGatewarden } from './gatewarden-process.ts';
import { allowInBrowser, openBrowser, withoutBrowser } from './person.ts';

const SUITE = resolve(
  import.meta.dirname,
  'node_modules/@modelcontextprotocol/conformance/dist/index.js',
);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  assert.ok(typeof address === 'object' && address);
  return address.port;
}

/** Runs the suite; whatever authorization URL it prints is opened in the browser. */
async function runSuite(
  args: readonly string[],
  visit: (url: string) => Promise<unknown>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [SUITE, 'authorization', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const visited = new Set<string>();
  const failures: unknown[] = [];
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const [url] of output.matchAll(/https?:\/\/\S+\/oauth\/authorize\?\S+/g)) {
      if (visited.has(url)) continue;
      visited.add(url);
      visit(url).catch((error: unknown) => failures.push(error));
    }
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  assert.deepEqual(failures, [], output);
  return { code, output };
}

for (const at of ['R', 'E'] as const) {
  test(`the MCP conformance suite for authorization servers passes at ${at} without a warning (AS-2, AS-4, AS-6, AS-85)`, {
    skip: withoutBrowser,
  }, async (t) => {
    const gatewarden = await startGatewarden(t);
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'gatewarden-suite-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    // The suite uses no secret wherever metadata lists `none`, so it gets a public client.
    const registered = await fetch(
      `${gatewarden.environmentUrl}/api/v1/resources/${gatewarden.demo.resourceId}/clients:register`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          client_name: 'Conformance suite',
          redirect_uris: [`http://127.0.0.1:${port}/callback`],
          token_endpoint_auth_method: 'none',
        }),
      },
    );
    const { client_id } = (await registered.json()) as { client_id: string };
    const page: Page = await (await openBrowser(t)).newPage();
    const issuer =
      at === 'E'
        ? gatewarden.environmentUrl
        : `${gatewarden.environmentUrl}/resources/${gatewarden.demo.resourceId}`;
    const { code, output } = await runSuite(
      [
        '--url',
        issuer,
        '--client-id',
        client_id,
        '--resource',
        gatewarden.demo.mcpUrl,
        '--port',
        String(port),
        '--output-dir',
        folder,
      ],
      (url) =>
        allowInBrowser(page, url, {
          email: 'suite@example.com',
          mailboxUrl: gatewarden.mailboxUrl,
        }),
    );
    const checks = await readChecks(folder);
    assert.equal(code, 0, `${output}\n${JSON.stringify(checks, null, 2)}`);
    assert.ok(checks.length >= 3, output);
    assert.deepEqual(
      checks.filter((check) => !['SUCCESS', 'INFO'].includes(check.status)),
      [],
      output,
    );
  });
}

type Check = { id: string; status: string };

async function readChecks(folder: string): Promise<Check[]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) =>
    name.endsWith('checks.json'),
  );
  const lists = await Promise.all(
    files.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Check[]),
  );
  return lists.flat();
}
