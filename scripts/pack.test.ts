import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { npmCommand } from './install.mjs';
import { pack } from './pack.mjs';

/** What somebody has who installs the published packages: nothing of this repository. */

const root = resolve(import.meta.dirname, '..');
const site = mkdtempSync(join(tmpdir(), 'gatewarden-site-'));
const run = promisify(execFile);
const repository = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
let packed: Awaited<ReturnType<typeof pack>>;

/** npm as a user runs it: what `npm test` put into the environment would send it back into the repository. */
function npm(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const [command = 'npm', ...first] = npmCommand();
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_(registry|cache)$)/.test(name)),
  );
  return run(command, [...first, ...args], { cwd: site, env });
}

before(async () => {
  packed = await pack(join(site, 'tarballs'));
  const local = packed.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]);
  const { '@types/express': expressTypes, '@types/node': nodeTypes } = repository.devDependencies;
  const demo = packed.find(({ manifest }) => manifest.name === '@gatewarden/demo');
  const manifest = {
    name: 'site',
    private: true,
    type: 'module',
    dependencies: {
      ...Object.fromEntries(local),
      express: demo?.manifest.dependencies?.['express'],
      '@types/express': expressTypes,
      '@types/node': nodeTypes,
    },
  };
  writeFileSync(join(site, 'package.json'), JSON.stringify(manifest));
  await npm('install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error');
});

after(() => rmSync(site, { recursive: true, force: true }));

test('every package is packed as built modules with declarations: no sources, no tests, no second compiler needed', () => {
  const names = packed.map(({ manifest }) => manifest.name.replace('@gatewarden/', ''));
  assert.deepEqual(
    names.sort(),
    [
      ...['cli', 'contract', 'demo', 'doctor', 'proxy', 'resource-server', 'sdk', 'server'],
      ...['express', 'fastify', 'fastmcp', 'hono', 'mcp-sdk', 'next', 'xmcp'],
    ].sort(),
  );
  for (const { manifest, files } of packed) {
    const unwanted = files.filter(
      (path) =>
        /(?<!\.d)\.ts$/.test(path) || /\.test\.|(^|\/)(test|tests|testing|src)(\/|\.)/.test(path),
    );
    assert.deepEqual(unwanted, [], manifest.name);
    assert.ok(files.includes('LICENSE'), `${manifest.name} has no license text`);
    const modules = files.filter((path) => /^dist\/.*\.js$/.test(path));
    assert.ok(modules.length > 0, `${manifest.name} has no modules`);
    assert.equal(Reflect.get(manifest, 'private'), undefined);
  }
});

test('npx runs the command of the packages outside of the repository', async () => {
  const { stdout } = await npm('exec', '--no', '--', 'gatewarden', '--version');

  assert.equal(stdout.trim(), repository.version);
});

test('the installed command serves, with the database it was shipped with, until it is told to stop', async (t) => {
  const [port, demoPort] = [await freePort(), await freePort()];
  const bin = join(site, 'node_modules/.bin/gatewarden');
  const ports = ['--port', `${port}`, '--demo-port', `${demoPort}`];
  const child = spawn(bin, ['dev', '--memory', '--demo', '--json', ...ports], {
    cwd: site,
    env: { ...process.env, LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const ended = endOf(child);
  t.after(async () => {
    if (child.exitCode === null) child.kill('SIGKILL');
    await ended;
  });

  const ready = await Promise.race([
    firstLine(child).then((line) => JSON.parse(line)),
    ended.then(({ code, errors }) => assert.fail(`it ended with ${code}: ${errors}`)),
  ]);
  const refused = await fetch(ready.demo.mcpUrl, { method: 'POST', body: '{}' });
  const mailbox = await fetch(ready.mailboxUrl, { headers: { accept: 'text/html' } });
  const style = /href="([^"]+\.css)"/.exec(await mailbox.text())?.[1];
  const styled = await fetch(new URL(style ?? '/no-style-sheet', ready.environmentUrl));
  process.kill(ready.pid, 'SIGTERM');

  assert.equal(refused.status, 401);
  assert.match(refused.headers.get('www-authenticate') ?? '', /resource_metadata="http/);
  assert.equal(styled.status, 200, 'a page has its style sheet');
  assert.deepEqual(await ended, { code: 0, errors: '' });
  const made = join(site, 'node_modules/.cache/gatewarden');
  assert.equal(existsSync(made), false, 'no database was made: the shipped one was used');
});

const CONSUMER = `
import { createServer } from 'node:http';
import { authOf, gatewarden } from '@gatewarden/express';
import { defineMcpServer, type McpAuth } from '@gatewarden/resource-server';
import express from 'express';

const todos = defineMcpServer({
  environmentUrl: 'http://localhost:1',
  resourceId: 'res_1234567890',
  serverUrl: 'http://localhost:3000/mcp',
  scopes: ['todo:read', 'todo:write'],
  tools: { list_todos: 'todo:read' },
});
const app = express();
app.use(gatewarden(todos));
app.post('/mcp', (req, res) => {
  const caller: McpAuth | undefined = authOf(req);
  res.json({ scopes: caller?.scopes });
});
const server = createServer(app).listen(0, '127.0.0.1', async () => {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const { status } = await fetch(\`http://127.0.0.1:\${port}/mcp\`, { method: 'POST', body: '{}' });
  console.log(status);
  server.close();
});
`;

async function typeCheck(file: string): Promise<string> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const options = {
    compilerOptions: {
      target: 'es2023',
      // Without the DOM: the packages must not need what a server does not have.
      lib: ['es2024'],
      types: ['node'],
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      rootDir: '.',
    },
    files: [file],
  };
  writeFileSync(join(site, 'tsconfig.json'), JSON.stringify(options));
  return await run(process.execPath, [compiler, '-p', site], { cwd: site }).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

test('an Express app in TypeScript is checked against the declarations, and runs as JavaScript', async () => {
  writeFileSync(join(site, 'app.ts'), CONSUMER);

  assert.equal(await typeCheck('app.ts'), '');

  const { stdout } = await run(process.execPath, ['app.js'], { cwd: site });
  assert.equal(stdout.trim(), '401');
});

test('the declarations refuse a scope that was not declared', async () => {
  writeFileSync(
    join(site, 'wrong.ts'),
    CONSUMER.replace("'todo:read' },\n});", "'todo:raed' },\n});"),
  );

  assert.match(await typeCheck('wrong.ts'), /wrong\.ts.*todo:raed/);
});

function endOf(child: ChildProcess): Promise<{ code: number | null; errors: string }> {
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  return new Promise((done) => child.once('close', (code) => done({ code, errors })));
}

function firstLine({ stdout }: ChildProcess): Promise<string> {
  assert.ok(stdout);
  return new Promise((done) => createInterface({ input: stdout }).once('line', done));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  assert.ok(typeof address === 'object' && address);
  return address.port;
}
