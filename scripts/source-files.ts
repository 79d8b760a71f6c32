import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParseResult, parseSync } from 'oxc-parser';

/** A source file: its path from the root with forward slashes, its text and its syntax tree. */
export type SourceFile = {
  readonly path: string;
  readonly text: string;
  readonly parsed: ParseResult;
};

const SKIPPED = new Set(['node_modules', '.git', '.cache', '.gatewarden', 'coverage', 'dist']);

/** Paths of the project's own files that match one of the patterns, sorted, without what is installed or generated at run time. */
export function listFiles(root: string, patterns: readonly string[]): string[] {
  const found = globSync([...patterns], {
    cwd: root,
    exclude: (name) => SKIPPED.has(name.split(/[\\/]/).at(-1) ?? ''),
  });
  return found.map((path) => path.replaceAll('\\', '/')).sort();
}

/** Reads and parses one TypeScript or JavaScript file. */
export function readSource(root: string, path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const parsed = parseSync(path, text);
  const [error] = parsed.errors;
  if (error) throw new Error(`${path} does not parse: ${error.message}`);
  return { path, text, parsed };
}

/** The line an offset of a file is on, counted from one. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Test files and what exists only for them. */
export function isTestFile(path: string): boolean {
  return (
    /(\/test-[^/]+|\.test)\.[cm]?[jt]s$/.test(path) ||
    /^packages\/[^/]+\/(test|src\/testing)(\/|\.ts$)/.test(path)
  );
}
