// Nothing half-finished and nothing of one person's machine is committed: no reminders, no absolute paths, no skipped tests.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Findings, isMain, report, repositoryRoot } from './report.ts';
import { lineOf, listFiles } from './source-files.ts';

type Leftover = { readonly what: string; readonly pattern: RegExp; readonly only?: RegExp };

const LEFTOVERS: readonly Leftover[] = [
  {
    what: 'a path of one machine',
    pattern: /(?<![\w.}$-])(?:\/(?:home|Users|work|root)\/|[A-Z]:\\Users\\)[\w.-]+/,
  },
  { what: 'a reminder', pattern: /\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/ },
  {
    what: 'an unfinished part',
    pattern: /\bnot (?:yet )?imp[l]emented\b|\bst[u]b for now\b/i,
    only: /\/src\/.*(?<!\.test)\.ts$/,
  },
  {
    what: 'a skipped or singled-out test',
    pattern: /\b(?:test|it|describe)\.(?:skip|only|todo)\b/,
    only: /\.test\.ts$/,
  },
  { what: 'a test skipped without condition', pattern: /\bskip:\s*true\b/, only: /\.test\.ts$/ },
  { what: 'a debugger statement', pattern: /^\s*debugger;/m, only: /\.[cm]?[jt]s$/ },
];

const TEXT =
  /(?:^|\/)(?:\.npmrc|\.gitignore|run)$|\.(?:ts|mjs|js|json|md|ya?ml|sql|proto|css|html|svg|sh)$/;
/** Text we did not write: locks, and code made from the contract. */
const NOT_OURS = /package-lock\.json$|\/gen\//;

/** What one file's text contains that should not stay. */
export function leftoversIn(path: string, text: string): string[] {
  return LEFTOVERS.filter(({ only }) => !only || only.test(path)).flatMap(({ what, pattern }) => {
    const match = pattern.exec(text);
    return match ? [`${path}:${lineOf(text, match.index)}: ${what}: ${match[0].trim()}`] : [];
  });
}

/** Looks at every text file of the project. */
export function checkLeftovers(root: string): Findings {
  const files = listFiles(root, [
    '*',
    '.ci/*',
    '{packages,scripts,docs,bench,conformance,templates,skills}/**/*',
  ]).filter((path) => TEXT.test(path) && !NOT_OURS.test(path));
  const problems = files.flatMap((path) =>
    leftoversIn(path, readFileSync(join(root, path), 'utf8')),
  );
  return { looked: files.length, what: 'text files', problems };
}

if (isMain(import.meta.url)) report('check-leftovers', checkLeftovers(repositoryRoot));
