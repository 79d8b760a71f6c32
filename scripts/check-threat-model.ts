// Every threat that docs/security/threat-model.md lists names a requirement, and that requirement has a test: by the table for those
// of the authorization and resource server, by the titles of tests for the others.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Findings, isMain, report, repositoryRoot } from './report.ts';
import { listFiles } from './source-files.ts';

const MODEL = 'docs/security/threat-model.md';
const TABLE = 'docs/requirements.md';
const ID = /\b(?:AS|RS|FSA|SSO|DIR)-\d+\b/g;
const IN_TABLE = /^(?:AS|RS)-/;
const TESTS = ['packages/*/{src,test}/**/*.test.ts', 'conformance/**/*.test.ts'];
const TITLE = /\btest\(\s*(['"`])([\s\S]*?)\1/g;

/** Cells of the rows of a Markdown table, without its head. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s|:-]+\|$/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The rows under the heading `## Threats`. */
function threatsOf(text: string): string[][] {
  const section = /^## Threats$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(text)?.[1] ?? '';
  return rowsOf(section).slice(1);
}

/** Requirements that a test names, by the table that is made from the titles of tests. */
function testedIn(text: string): Set<string> {
  return new Set(
    rowsOf(text).flatMap(([id, , , status]) => (status === 'tested' && id ? [id] : [])),
  );
}

/** Requirements that the title of a test names. */
function testedByTitle(root: string): Set<string> {
  const ids = listFiles(root, TESTS).flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(TITLE)].flatMap(
      ([, , title = '']) => title.match(ID) ?? [],
    ),
  );
  return new Set(ids);
}

export function checkThreatModel(root: string): Findings {
  const threats = threatsOf(readFileSync(join(root, MODEL), 'utf8'));
  const inTable = testedIn(readFileSync(join(root, TABLE), 'utf8'));
  const byTitle = testedByTitle(root);
  const problems = threats.flatMap((cells) => {
    const [, threat = '', stops = '', shown = ''] = cells;
    const ids = shown.match(ID) ?? [];
    const where = `${MODEL}: "${threat}"`;
    if (cells.length !== 4 || threat === '' || stops === '') return [`${where} lacks a cell`];
    if (ids.length === 0) return [`${where} names no requirement`];
    return ids
      .filter((id) => !(IN_TABLE.test(id) ? inTable : byTitle).has(id))
      .map((id) =>
        IN_TABLE.test(id)
          ? `${where} names ${id}, which no test names in ${TABLE}`
          : `${where} names ${id}, which no title of a test names`,
      );
  });
  return { looked: threats.length, what: 'threats', problems };
}

if (isMain(import.meta.url)) report('check-threat-model', checkThreatModel(repositoryRoot));
