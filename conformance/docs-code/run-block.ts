import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Running } from '../gatewarden-process.ts';
import type { Block } from './blocks.ts';
import { placed, type Registered, registerServer } from './site.ts';

type Cleanup = { after(work: () => Promise<void>): void };

/** Below conformance, so that a block finds every package that documents name. */
const base = resolve(import.meta.dirname, '..');

export async function scratchFolder(t: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(base, '.run-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What a block finds in its environment. */
function environmentOf(gatewarden: Running, more: Record<string, string>): NodeJS.ProcessEnv {
  return {
    ...process.env,
    NODE_NO_WARNINGS: '1',
    GATEWARDEN_ENVIRONMENT_URL: gatewarden.environmentUrl,
    GATEWARDEN_CLIENT_ID: gatewarden.clientId,
    GATEWARDEN_CLIENT_SECRET: gatewarden.clientSecret,
    SCALEKIT_ENVIRONMENT_URL: gatewarden.environmentUrl,
    SCALEKIT_CLIENT_ID: gatewarden.clientId,
    SCALEKIT_CLIENT_SECRET: gatewarden.clientSecret,
    ...more,
  };
}

type Started = { child: ChildProcess; output: () => string; ended: Promise<number | null> };

function start(
  t: Cleanup,
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Started {
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  t.after(async () => {
    // The whole group: a shell's children belong to the block too.
    if (child.exitCode === null && child.pid) process.kill(-child.pid, 'SIGKILL');
    await ended;
  });
  return { child, output: () => output, ended };
}

async function writeProgram(t: Cleanup, block: Block, text: string): Promise<string> {
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const file = join(folder, `block.${block.language === 'js' ? 'js' : 'ts'}`);
  await writeFile(file, text);
  return file;
}

const scopesOf = (block: Block): string[] =>
  (block.settings['scopes'] ?? '').split(',').filter(Boolean);

/** A program that serves a protected MCP endpoint: refused without a token, a tool call with one, the right metadata. */
export async function runServer(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const server = await registerServer(
    gatewarden,
    block.settings['path'] ?? '/mcp',
    scopesOf(block),
  );
  const file = await writeProgram(t, block, placed(block.text, gatewarden, server));
  const run = start(
    t,
    process.execPath,
    [file],
    resolve(file, '..'),
    environmentOf(gatewarden, { PORT: String(server.port) }),
  );
  await answering(server, run);
  await checkProtected((request) => fetch(request), server, block);
}

/** A server before it is protected: its tool answers everybody. */
export async function runOpen(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const server = await registerServer(gatewarden, '/mcp', ['notes:read']);
  const file = await writeProgram(t, block, placed(block.text, gatewarden, server));
  const run = start(
    t,
    process.execPath,
    [file],
    resolve(file, '..'),
    environmentOf(gatewarden, {}),
  );
  await answering(server, run);
  const answer = await callTool(fetch, server, undefined, block.settings['tool'] ?? '');
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /"result"/);
}

/** A file of route handlers, as frameworks load it: `GET` and `POST` are called as they would. */
export async function runRoutes(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const server = await registerServer(
    gatewarden,
    block.settings['path'] ?? '/mcp',
    scopesOf(block),
  );
  const file = await writeProgram(t, block, placed(block.text, gatewarden, server));
  const routes: Record<string, unknown> = await import(pathToFileURL(file).href);
  await checkProtected(
    async (request) => {
      const handler = routes[request.method];
      assert.ok(typeof handler === 'function', `${request.method} is not exported`);
      return handler(request);
    },
    server,
    block,
  );
}

/** A program that ends by itself, with success. */
export async function runProgram(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const server = await registerServer(gatewarden, '/mcp', scopesOf(block));
  const file = await writeProgram(t, block, placed(block.text, gatewarden, server));
  const env = environmentOf(gatewarden, {
    TOKEN: await server.token(),
    GATEWARDEN_RESOURCE_ID: server.resourceId,
  });
  const run = start(t, process.execPath, [file], resolve(file, '..'), env);
  assert.equal(await run.ended, 0, run.output());
  if (block.settings['prints']) assert.match(run.output(), new RegExp(block.settings['prints']));
}

/** Lines for a shell, all of which succeed; `prints` is looked for in the output. */
export async function runShell(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const folder = await scratchFolder(t);
  const scopes = scopesOf(block);
  const server = scopes.length > 0 ? await registerServer(gatewarden, '/mcp', scopes) : undefined;
  const env = environmentOf(gatewarden, {
    PATH: `${resolve(process.execPath, '..')}:${join(base, '../node_modules/.bin')}:${process.env['PATH']}`,
    ...(server ? { TOKEN: await server.token(), GATEWARDEN_RESOURCE_ID: server.resourceId } : {}),
  });
  const text = placed(block.text, gatewarden, server).replaceAll(
    /npx (--no )?(-- )?gatewarden|npx @gatewarden\/cli/g,
    'gatewarden',
  );
  const run = start(t, 'bash', ['-euo', 'pipefail', '-c', text], folder, env);
  const code = await run.ended;
  assert.ok(
    (block.settings['exits'] ?? '0').split('|').includes(String(code)),
    `${code}: ${run.output()}`,
  );
  if (block.settings['prints']) assert.match(run.output(), new RegExp(block.settings['prints']));
}

async function answering(server: Registered, run: Started): Promise<void> {
  for (let tries = 0; tries < 150; tries += 1) {
    if (run.child.exitCode !== null) break;
    try {
      await (await fetch(`${server.serverUrl}`, { method: 'OPTIONS' })).text();
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  assert.fail(`nothing answers at ${server.serverUrl}:\n${run.output()}`);
}

function callTool(
  ask: (request: Request) => Promise<Response>,
  { serverUrl }: Registered,
  token: string | undefined,
  tool: string,
): Promise<Response> {
  return ask(
    new Request(serverUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: tool, arguments: {} },
      }),
    }),
  );
}

async function checkProtected(
  ask: (request: Request) => Promise<Response>,
  server: Registered,
  block: Block,
): Promise<void> {
  const metadata = `http://localhost:${server.port}/.well-known/oauth-protected-resource${new URL(server.serverUrl).pathname}`;
  const tool = block.settings['tool'] ?? '';
  const refused = await callTool(ask, server, undefined, tool);
  assert.equal(refused.status, 401, await refused.text());
  assert.ok(
    refused.headers.get('www-authenticate')?.includes(`resource_metadata="${metadata}"`),
    String(refused.headers.get('www-authenticate')),
  );
  if (block.settings['metadata'] !== 'elsewhere') {
    const document = await ask(new Request(metadata));
    assert.equal(((await document.json()) as { resource: string }).resource, server.serverUrl);
  }
  const allowed = await callTool(ask, server, await server.token(), tool);
  const text = await allowed.text();
  assert.equal(allowed.status, 200, text);
  assert.match(text, /"result"/);
  assert.doesNotMatch(text, /"isError":true/);
}
