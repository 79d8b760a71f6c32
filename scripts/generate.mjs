// Brings everything that is made from something else up to date: the code of the contract, the table of requirements.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';

const SCRIPTS = [
  'packages/contract/scripts/generate.mjs',
  'scripts/requirements.mjs',
  'scripts/storage-tables.mjs',
];
const root = resolve(fileURLToPath(import.meta.url), '../..');

for (const script of SCRIPTS) {
  if (!existsSync(join(root, script))) throw new Error(`${script} is missing`);
  const { code } = await run(process.execPath, [join(root, script)], { cwd: root });
  if (code !== 0) {
    console.error(`${script} failed`);
    process.exit(code ?? 1);
  }
}
