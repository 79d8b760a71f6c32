// Every root command works on a fresh clone with Node.js 20 and npm: packages are installed, then the pinned Node.js runs it.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endAs, run, sourceNode } from './child.mjs';
import { ensureInstalled } from './install.mjs';

const COMMANDS = {
  start: ['packages/cli/bin/gatewarden.js', 'dev', '--demo'],
  test: ['scripts/test.mjs'],
  check: ['scripts/check.mjs'],
  bench: ['bench/bench.ts'],
  e2e: ['scripts/test.mjs', '--browser'],
  screens: ['scripts/screens.mjs'],
  generate: ['scripts/generate.mjs'],
};

const root = resolve(fileURLToPath(import.meta.url), '../..');

async function main([name, ...rest]) {
  if (!Object.hasOwn(COMMANDS, name ?? '')) {
    throw new Error(
      `unknown command "${name ?? ''}"; there are ${Object.keys(COMMANDS).join(', ')}`,
    );
  }
  const [script, ...first] = COMMANDS[name];
  await ensureInstalled(root);
  if (!existsSync(join(root, script)))
    throw new Error(`${script} is missing; the checkout is not complete`);
  endAs(await run(sourceNode(root), [join(root, script), ...first, ...rest], { cwd: root }));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
