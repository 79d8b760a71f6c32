import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const BIN = join(import.meta.dirname, 'gatewarden.js');
const PINNED = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
/** Makes a Node.js say that it is an old one, to itself only: what it starts is as new as it is. */
const OLD = [
  '--import',
  "data:text/javascript,Object.defineProperty(process,'version',{value:'v20.19.0'})",
];

/** The file alone, beside an entry of its own. */
function install(t: TestContext, entry: string): string {
  const root = mkdtempSync(join(tmpdir(), 'gatewarden-bin-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'src'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  copyFileSync(BIN, join(root, 'bin/gatewarden.js'));
  writeFileSync(join(root, 'src/index.ts'), entry);
  return root;
}

/** A pinned Node.js of a version, which is really the running one. */
function pin(root: string, version: string): void {
  const folder = join(root, 'node_modules', PINNED);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: PINNED, version }));
  symlinkSync(
    process.execPath,
    join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node'),
  );
}

const SAYS = `export async function main(args: string[]): Promise<number> {
  console.log(JSON.stringify({ args, pid: process.pid }));
  return 3;
}`;

test('the command runs its sources in the process it was started as, and ends with their code', (t) => {
  const root = install(t, SAYS);

  const ended = spawnSync(process.execPath, [join(root, 'bin/gatewarden.js'), 'a', '--b'], {
    cwd: tmpdir(),
    encoding: 'utf8',
  });

  assert.equal(ended.status, 3);
  assert.deepEqual(JSON.parse(ended.stdout), { args: ['a', '--b'], pid: ended.pid });
});

test('an old Node.js hands over to the pinned one, with arguments and exit code', (t) => {
  const root = install(t, SAYS);
  pin(root, '24.21.0');

  const ended = spawnSync(process.execPath, [...OLD, join(root, 'bin/gatewarden.js'), 'a'], {
    encoding: 'utf8',
  });

  assert.equal(ended.status, 3, ended.stderr);
  assert.deepEqual(JSON.parse(ended.stdout).args, ['a']);
});

test('an old Node.js without a pinned one, or beside an old one, ends with one sentence', (t) => {
  const alone = install(t, SAYS);
  const beside = install(t, SAYS);
  pin(beside, '18.0.0');

  for (const root of [alone, beside]) {
    const ended = spawnSync(process.execPath, [...OLD, join(root, 'bin/gatewarden.js')], {
      encoding: 'utf8',
    });

    assert.deepEqual([ended.status, ended.stdout], [1, '']);
    assert.match(ended.stderr, /^gatewarden: Node\.js v20\.19\.0 is too old; .*22\.18.*\.\n$/);
  }
});

/** Waits for the line that says the entry is up. */
async function isUp(child: ChildProcess): Promise<number> {
  const [line] = await once(child.stdout ?? assert.fail('no output'), 'data');
  return JSON.parse(String(line)).pid;
}

test('signals reach the pinned Node.js, and its end is the end of the command', async (t) => {
  const root = install(
    t,
    `export async function main(): Promise<void> {
      process.once('SIGTERM', () => process.exit(7));
      setInterval(() => {}, 1000);
      console.log(JSON.stringify({ pid: process.pid }));
    }`,
  );
  pin(root, '24.21.0');
  const start = (): ChildProcess =>
    spawn(process.execPath, [...OLD, join(root, 'bin/gatewarden.js')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });

  const asked = start();
  await isUp(asked);
  asked.kill('SIGTERM');
  assert.deepEqual(await once(asked, 'exit'), [7, null]);

  const crashed = start();
  process.kill(await isUp(crashed), 'SIGKILL');
  assert.deepEqual(await once(crashed, 'exit'), [null, 'SIGKILL']);
});
