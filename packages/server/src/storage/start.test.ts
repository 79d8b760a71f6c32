import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openPglite } from './pglite.ts';
import { ensureTemplate } from './template.ts';

const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
const run = promisify(execFile);
const evaluate = (code: string, ...args: string[]) =>
  run(process.execPath, ['--input-type=module', '-e', code, ...args]).then(({ stdout }) =>
    stdout.trim(),
  );

const START = `import { openPglite } from ${source('./pglite.ts')};
  import { sql } from ${source('./db.ts')};
  const [dataDir] = process.argv.slice(1);
  const database = await openPglite(dataDir ? { dataDir } : {});
  await database.rows(sql\`select 1 as n\`);
  const ready = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  console.log(JSON.stringify({ ready, most: process.resourceUsage().maxRSS * 1024, rest: process.memoryUsage().rss }));
  await database.close();`;

for (const [what, limit] of [
  ['an empty folder', 5000],
  ['a used folder', 2000],
  ['memory', 5000],
] as const) {
  test(`start from ${what}: ready in ${limit / 1000} s, at most 520 MB ever, 450 MB at rest`, async (t) => {
    await ensureTemplate();
    const folder = await mkdtemp(join(tmpdir(), 'gatewarden-start-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    if (what === 'a used folder') await (await openPglite({ dataDir: folder })).close();
    // A busy machine may need a second try.
    for (let attempt = 1; ; attempt++) {
      const dataDir = what === 'an empty folder' ? join(folder, String(attempt)) : folder;
      const { ready, most, rest } = JSON.parse(
        await evaluate(START, what === 'memory' ? '' : dataDir),
      );
      t.diagnostic(
        `ready after ${Math.round(ready)} ms, at most ${Math.round(most / 1e6)} MB, ${Math.round(rest / 1e6)} MB at rest`,
      );
      assert.ok(most < 520e6 && rest < 450e6, `${most} ${rest}`);
      if (ready < limit) return;
      assert.ok(attempt < 3, `${ready} ms`);
    }
  });
}
