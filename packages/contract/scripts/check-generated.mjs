// The code in gen/ is what the .proto sources say, and the sources are formatted and pass the linter.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { buf, contract } from './buf.mjs';

/** All files below a folder, by path relative to it. */
function filesOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(folder, path), readFileSync(path, 'utf8')];
    }),
  );
}

const made = mkdtempSync(join(tmpdir(), 'gatewarden-contract-'));
try {
  buf(['format', '--diff', '--exit-code']);
  buf(['lint']);
  buf(['generate', '--output', made]);
  const fresh = filesOf(join(made, 'gen'));
  const committed = filesOf(join(contract, 'gen'));
  const different = [...new Set([...fresh.keys(), ...committed.keys()])].filter(
    (path) => fresh.get(path) !== committed.get(path),
  );
  if (fresh.size === 0) throw new Error('nothing was generated, so nothing was compared');
  if (different.length > 0) {
    throw new Error(
      `generated code is out of date; run npm run generate\n${different.map((path) => `  gen/${path}`).join('\n')}`,
    );
  }
  console.log(`check-generated looked at ${fresh.size} generated files`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(made, { recursive: true });
}
