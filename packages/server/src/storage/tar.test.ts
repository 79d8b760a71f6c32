import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { unpack } from './tar.ts';

function member(name: string, type: '0' | '5', content = ''): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  return Buffer.concat([
    header,
    Buffer.from(content),
    Buffer.alloc((512 - (content.length % 512)) % 512),
  ]);
}

async function archive(
  t: TestContext,
  name: string,
  ...members: Buffer[]
): Promise<{ path: string; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-tar-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const bytes = Buffer.concat([...members, Buffer.alloc(1024)]);
  const path = join(folder, name);
  await writeFile(path, name.endsWith('.gz') ? gzipSync(bytes) : bytes);
  return { path, folder: join(folder, 'data') };
}

for (const name of ['a.tar', 'a.tar.gz']) {
  test(`${name} is unpacked into a folder that only its owner reads`, async (t) => {
    const { path, folder } = await archive(
      t,
      name,
      member('/empty', '5'),
      member('/base/1', '0', 'one'),
      member('/two', '0', 'x'.repeat(600)),
    );
    await unpack(path, folder);
    assert.equal(await readFile(join(folder, 'base/1'), 'utf8'), 'one');
    assert.equal((await readFile(join(folder, 'two'), 'utf8')).length, 600);
    assert.ok((await stat(join(folder, 'empty'))).isDirectory());
    if (process.platform !== 'win32') assert.equal((await stat(folder)).mode & 0o777, 0o700);
  });
}

test('a half-written archive leaves no folder behind that looks whole', async (t) => {
  const { path, folder } = await archive(t, 'a.tar', member('/one', '0', 'one'));
  const whole = await readFile(path);
  // In a header, in the content, and between two members.
  for (const length of [0, 300, 514, 1024]) {
    await writeFile(path, whole.subarray(0, length));
    await assert.rejects(unpack(path, folder), /ends in the middle/);
    assert.equal(existsSync(folder), false);
  }
});

test('what an interrupted attempt left is replaced', async (t) => {
  const { path, folder } = await archive(t, 'a.tar', member('/one', '0', 'one'));
  await writeFile(`${folder}.new`, 'rubbish');
  await unpack(path, folder);
  assert.equal(await readFile(join(folder, 'one'), 'utf8'), 'one');
});

test('an attack: a member that climbs out of the folder is refused', async (t) => {
  const { path, folder } = await archive(t, 'a.tar', member('../evil', '0', 'x'));
  await assert.rejects(unpack(path, folder), /outside/);
  assert.equal(existsSync(join(folder, '../evil')), false);
});
