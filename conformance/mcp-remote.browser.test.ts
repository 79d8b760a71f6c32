import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startGatewarden } from './gatewarden-process.ts';
import { allowInBrowser, openBrowser, withoutBrowser } from './person.ts';

const MCP_REMOTE = resolve(import.meta.dirname, 'node_modules/mcp-remote/dist/proxy.js');

test('mcp-remote, a client of others, signs in and calls a tool over stdio (AS-42, AS-50, AS-57, RS-11)', {
  skip: withoutBrowser,
  timeout: 90_000,
}, async (t) => {
  const gatewarden = await startGatewarden(t);
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-mcp-remote-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const page = await (await openBrowser(t)).newPage();
  // No browser of its own: the address it prints is opened in ours.
  const child = spawn(process.execPath, [MCP_REMOTE, gatewarden.demo.mcpUrl], {
    cwd: folder,
    env: {
      ...process.env,
      HOME: folder,
      MCP_REMOTE_CONFIG_DIR: folder,
      BROWSER: 'none',
      DISPLAY: '',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise((done) => child.once('exit', done));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let said = '';
  const visit = Promise.withResolvers<string>();
  const read = (chunk: Buffer): void => {
    said += chunk.toString();
    const url = /https?:\/\/\S+\/oauth\/authorize\?\S+/.exec(said)?.[0];
    if (url !== undefined && /\s/.test(said.at(-1) ?? '')) visit.resolve(url);
  };
  child.stderr.on('data', read);
  const answers = new Map<number, (message: { result?: unknown; error?: unknown }) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as { id?: number; result?: unknown; error?: unknown };
    if (message.id !== undefined) answers.get(message.id)?.(message);
  });
  let ids = 0;
  const call = async (
    method: string,
    params: unknown,
  ): Promise<{ result?: unknown; error?: unknown }> => {
    ids += 1;
    const id = ids;
    const answer = new Promise<{ result?: unknown; error?: unknown }>((done) =>
      answers.set(id, done),
    );
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return await answer;
  };
  const initialized = call('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'conformance', version: '1' },
  });
  const url = await Promise.race([visit.promise, ended.then(() => assert.fail(said))]);
  await allowInBrowser(page, url, {
    email: 'remote@example.com',
    mailboxUrl: gatewarden.mailboxUrl,
  });
  assert.ok((await initialized).result, said);
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
  const listed = await call('tools/call', { name: 'list_todos', arguments: {} });
  assert.match(JSON.stringify(listed.result), /content/);
});
