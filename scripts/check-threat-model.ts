// Every threat that docs/security/threat-model.md lists names a requirement, and that requirement has a test.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Findings, isMain, report, repositoryRoot } from './report.ts';

const MODEL = 'docs/security/threat-model.md';
const TABLE = 'docs/requirements.md';
const ID = /\b(?:AS|RS)-\d+\b/g;

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

export function checkThreatModel(root: string): Findings {
  const threats = threatsOf(readFileSync(join(root, MODEL), 'utf8'));
  const tested = testedIn(readFileSync(join(root, TABLE), 'utf8'));
  const problems = threats.flatMap((cells) => {
    const [, threat = '', stops = '', shown = ''] = cells;
    const ids = shown.match(ID) ?? [];
    const where = `${MODEL}: "${threat}"`;
    if (cells.length !== 4 || threat === '' || stops === '') return [`${where} lacks a cell`];
    if (ids.length === 0) return [`${where} names no requirement`];
    return ids
      .filter((id) => !tested.has(id))
      .map((id) => `${where} names ${id}, which no test names in ${TABLE}`);
  });
  return { looked: threats.length, what: 'threats', problems };
}

if (isMain(import.meta.url)) report('check-threat-model', checkThreatModel(repositoryRoot));
