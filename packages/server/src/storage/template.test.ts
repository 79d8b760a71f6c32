import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { sql } from './db.ts';
import { openPglite } from './pglite.ts';
import { ensureTemplate, templateName } from './template.ts';

/** Migrations that no other run has had, so that no template is there yet. */
async function unseen(
  t: TestContext,
  text = 'create table unseen (n int4)',
): Promise<{ folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-template-'));
  await writeFile(join(folder, '0001-unseen.sql'), `-- ${folder}\n${text};`);
  t.after(async () => {
    const cache = dirname(await ensureTemplate());
    await rm(join(cache, await templateName({ folder })), { force: true });
    await rm(folder, { recursive: true, force: true });
  });
  return { folder };
}

const run = promisify(execFile);
const evaluate = (code: string, ...args: string[]) =>
  run(process.execPath, ['--input-type=module', '-e', code, ...args]).then(({ stdout }) =>
    stdout.trim(),
  );
const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

test('a race: processes that want the same template at once get one, made once', async (t) => {
  const { folder } = await unseen(t);
  await ensureTemplate();
  const code = `import { ensureTemplate } from ${source('./template.ts')};
    import { statSync } from 'node:fs';
    const path = await ensureTemplate({ folder: process.argv[1] });
    console.log(path, statSync(path).ino);`;
  const found = await Promise.all([0, 1, 2].map(() => evaluate(code, folder)));
  assert.equal(new Set(found).size, 1);
  const path = found[0]?.split(' ')[0] ?? '';
  const leftovers = (await readdir(dirname(path))).filter((name) => /\.tar\.\d+$/.test(name));
  assert.deepEqual(leftovers, []);
});

test('the template is named by what decides its content: the engine and each migration', async (t) => {
  const [first, second] = [await unseen(t), await unseen(t)];
  assert.notEqual(await templateName(first), await templateName(second));
  assert.match(await templateName(first), /^pglite-\d+\.\d+\.\d+-[0-9a-f]{16}\.tar$/);
  const before = await templateName(first);
  await writeFile(join(first.folder, '0002-more.sql'), 'select 1');
  assert.notEqual(await templateName(first), before);
});

test('a template is whole and migrated, and a process that loads it finds the tables', async (t) => {
  const { folder } = await unseen(t);
  const template = await ensureTemplate({ folder });
  assert.ok((await stat(template)).size > 1_000_000);
  const database = await openPglite({ template, migrationsFolder: folder });
  t.after(() => database.close());
  assert.deepEqual(await database.rows(sql`select n from unseen`), []);
});

test('a migration that fails is reported in a sentence, and no template is left that looks made', async (t) => {
  const { folder } = await unseen(t, 'select 1 / 0');
  await assert.rejects(ensureTemplate({ folder }), /could not be made: division by zero$/);
  assert.equal(
    existsSync(join(dirname(await ensureTemplate()), await templateName({ folder }))),
    false,
  );
});
