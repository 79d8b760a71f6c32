import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startProxy } from '@gatewarden/proxy';
import type { Running } from '../gatewarden-process.ts';
import type { Block } from './blocks.ts';
import { transportOf } from './preludes/transport.ts';
import { freePort, placed, type Registered, registerServer } from './site.ts';

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

/** The command as it is found here, however documents call it. */
const commandOf = (text: string): string =>
  text.replaceAll(/npx (--no )?(-- )?gatewarden|npx @gatewarden\/cli/g, 'gatewarden');

const shellEnvironment = (gatewarden: Running): NodeJS.ProcessEnv =>
  environmentOf(gatewarden, {
    PATH: `${resolve(process.execPath, '..')}:${join(base, '../node_modules/.bin')}:${process.env['PATH']}`,
  });

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

/** A part of a program, in the program it belongs to: `with` names the file, `declaration` the block that says what is protected. */
export function completed(block: Block, declaration: Block | undefined): Block {
  const name = block.settings['with'];
  if (name === undefined) return block;
  const preludes = join(import.meta.dirname, 'preludes');
  const text = readFileSync(join(preludes, `${name}.ts.txt`), 'utf8')
    .replace('/* DECLARATION */', () => declaration?.text ?? '')
    .replace('/* BLOCK */', () => block.text)
    .replaceAll('PRELUDE', preludes);
  return { ...block, text };
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

/** A command that goes on until it is stopped: what it prints when it is ready is waited for. */
export async function runStarts(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const folder = await scratchFolder(t);
  const env = {
    ...shellEnvironment(gatewarden),
    PORT: String(await freePort()),
    GATEWARDEN_DATA_DIR: join(folder, 'data'),
  };
  const run = start(t, 'bash', ['-euo', 'pipefail', '-c', block.text], resolve(base, '..'), env);
  const ready = new RegExp(block.settings['prints'] ?? '');
  for (let tries = 0; tries < 600 && run.child.exitCode === null; tries += 1) {
    if (ready.test(run.output())) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(run.output());
}

/** The proxy, started as printed in front of a server that asks for nothing, with the tool file the document shows. */
export async function runProxy(
  t: Cleanup,
  block: Block,
  gatewarden: Running,
  tools: string,
): Promise<void> {
  const server = await registerServer(gatewarden, '/mcp', scopesOf(block));
  const folder = await scratchFolder(t);
  await writeFile(join(folder, 'tools.yaml'), tools);
  const upstream = await startUpstream(t, () => undefined);
  const text = commandOf(
    placed(block.text.replaceAll('127.0.0.1:3000', `127.0.0.1:${upstream}`), gatewarden, server),
  );
  const run = start(
    t,
    'bash',
    ['-euo', 'pipefail', '-c', `exec ${text}`],
    folder,
    shellEnvironment(gatewarden),
  );
  await answering(server, run);
  await checkProtected(fetch, server, block);
}

/** What a server behind the proxy verifies: a real identity passes, and one of another request does not. */
export async function runIdentity(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const server = await registerServer(gatewarden, '/mcp', scopesOf(block));
  let seen: { header: string; body: Uint8Array } | undefined;
  const upstream = await startUpstream(t, (header, body) => {
    seen = { header, body };
  });
  const upstreamUrl = `http://127.0.0.1:${upstream}/mcp`;
  const proxy = await startProxy({
    upstream: upstreamUrl,
    port: server.port,
    identity: 'signed',
    managementPort: 0,
    protect: {
      environmentUrl: gatewarden.environmentUrl,
      resourceId: server.resourceId,
      serverUrl: server.serverUrl,
    },
  });
  t.after(() => proxy.close());
  const text = block.text
    .replaceAll('http://127.0.0.1:8190', proxy.managementUrl ?? '')
    .replaceAll('http://127.0.0.1:3000/mcp', upstreamUrl);
  const file = await writeProgram(t, block, placed(text, gatewarden, server));
  const { caller }: Record<string, unknown> = await import(pathToFileURL(file).href);
  assert.ok(typeof caller === 'function');
  await (await callTool(fetch, server, await server.token(), block.settings['tool'] ?? '')).text();
  assert.ok(seen);
  const claims: { scope?: string } = await caller(seen.header, 'POST', seen.body);
  assert.equal(claims.scope, 'todo:read');
  await assert.rejects(
    async () => await caller(seen?.header, 'POST', new TextEncoder().encode('{}')),
  );
}

/** An MCP server that asks for nothing; tells which identity came with which bytes. */
async function startUpstream(
  t: Cleanup,
  told: (header: string, body: Uint8Array) => void,
): Promise<number> {
  const transport = transportOf();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    told(String(request.headers['x-gatewarden-identity']), body);
    await transport.handleRequest(request, response, JSON.parse(body.toString()));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address);
  return address.port;
}

/** A route that serves the metadata and nothing else. */
export async function runMetadata(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const server = await registerServer(gatewarden, '/mcp', scopesOf(block));
  const file = await writeProgram(t, block, placed(block.text, gatewarden, server));
  const { GET: handler }: Record<string, unknown> = await import(pathToFileURL(file).href);
  assert.ok(typeof handler === 'function');
  const root = `http://localhost:${server.port}/.well-known/oauth-protected-resource`;
  const answer: Response = await handler(new Request(`${root}/mcp`));
  assert.equal(((await answer.json()) as { resource: string }).resource, server.serverUrl);
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
  const code = await Promise.race([run.ended, tooLong()]);
  assert.equal(code, 0, run.output());
  if (block.settings['prints']) assert.match(run.output(), new RegExp(block.settings['prints']));
}

/** Lines for a shell, all of which succeed; `prints` is looked for in the output. */
export async function runShell(t: Cleanup, block: Block, gatewarden: Running): Promise<void> {
  const folder = await scratchFolder(t);
  const scopes = scopesOf(block);
  const server = scopes.length > 0 ? await registerServer(gatewarden, '/mcp', scopes) : undefined;
  const env = {
    ...shellEnvironment(gatewarden),
    ...(server ? { TOKEN: await server.token(), GATEWARDEN_RESOURCE_ID: server.resourceId } : {}),
  };
  const text = commandOf(placed(block.text, gatewarden, server));
  const run = start(t, 'bash', ['-euo', 'pipefail', '-c', text], folder, env);
  const code = await Promise.race([run.ended, tooLong()]);
  assert.ok(
    (block.settings['exits'] ?? '0').split('|').includes(String(code)),
    `${code}: ${run.output()}`,
  );
  if (block.settings['prints']) assert.match(run.output(), new RegExp(block.settings['prints']));
}

/** A program of a document that has not ended by now never will. */
async function tooLong(): Promise<string> {
  await new Promise((done) => setTimeout(done, 60_000).unref());
  return 'still running after 60 s';
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
