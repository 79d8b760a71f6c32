// The tables in docs/storage.md are those of the migrations, column by column, in the words of their comments; every table and
// every migration has some. With --check the document must already say so.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listFiles } from './source-files.ts';

const DOCUMENT = 'docs/storage.md';
const MARK = '<!-- Below this line: made by `npm run generate` from the migrations. -->';
const CONSTRAINT = /^(primary|foreign|unique|check|constraint|exclude)\b/i;

/** Lines of comment directly above a line, joined; the first line of a file is about the file. */
function commentAbove(lines, index) {
  const words = [];
  for (let at = index - 1; at > 0 && lines[at].startsWith('--'); at -= 1) {
    words.unshift(lines[at].replace(/^--\s*/, ''));
  }
  return words.join(' ');
}

/** A column's name, type and comment from `name type …, -- comment`. */
function readColumn(line) {
  const [, code = '', comment = ''] = /^\s*(.*?)\s*(?:--\s*(.*))?$/.exec(line) ?? [];
  const [, name, rest] = /^"?(\w+)"?\s+(.*?),?$/.exec(code) ?? [];
  if (!name || CONSTRAINT.test(code)) return undefined;
  const type = rest.split(
    /\s+(?:not null|null|default|primary|unique|references|check|generated)\b/i,
  )[0];
  return { name, type, required: /\bnot null\b|\bprimary key\b/i.test(rest), comment };
}

function readTable(lines, start) {
  const name = /^create table (?:if not exists )?(\w+)/i.exec(lines[start])[1];
  const columns = [];
  let at = start + 1;
  for (; at < lines.length && !lines[at].startsWith(')'); at += 1) {
    const column = readColumn(lines[at]);
    if (column) columns.push(column);
  }
  return { table: { name, about: commentAbove(lines, start), columns }, end: at };
}

/** Applies one `alter table` line to the tables read so far. */
function alter(tables, line, comment) {
  const [, name, action] = /^alter table (?:if exists )?(\w+)\s+(.*?);?$/i.exec(line) ?? [];
  const columns = tables.get(name)?.columns;
  if (!columns) return;
  const [, added] = /^add column (?:if not exists )?(.*)$/i.exec(action) ?? [];
  const column = added && readColumn(added);
  if (column) columns.push({ ...column, comment });
  const [, dropped] = /^drop column (?:if exists )?(\w+)/i.exec(action) ?? [];
  if (dropped) tables.get(name).columns = columns.filter((one) => one.name !== dropped);
  const [, retyped, type] = /^alter column (\w+) type (\w+)/i.exec(action) ?? [];
  const found = columns.find((one) => one.name === retyped);
  if (found) Object.assign(found, { type, comment: comment || found.comment });
}

/** Reads migrations in order; returns tables by name as they are after the last. */
export function readMigrations(texts) {
  const tables = new Map();
  for (const text of texts) {
    const lines = text.split('\n');
    for (let at = 0; at < lines.length; at += 1) {
      if (/^create table /i.test(lines[at])) {
        const { table, end } = readTable(lines, at);
        tables.set(table.name, table);
        at = end;
      } else if (/^alter table /i.test(lines[at]))
        alter(tables, lines[at], commentAbove(lines, at));
      else if (/^drop table /i.test(lines[at]))
        tables.delete(/(\w+)\s*(?:cascade)?;?$/i.exec(lines[at])?.[1]);
    }
  }
  return tables;
}

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** The tables as Markdown. */
export function describeTables(tables) {
  return [...tables.values()]
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
    .map(({ name, about, columns }) => {
      const rows = columns.map(
        (one) =>
          `| \`${one.name}\` | ${one.type}${one.required ? '' : ', optional'} | ${cell(one.comment)} |`,
      );
      const head = ['| column | type | meaning |', '| --- | --- | --- |'];
      return [`### ${name}`, '', ...(about ? [about, ''] : []), ...head, ...rows, ''].join('\n');
    })
    .join('\n');
}

function main(root, check) {
  const paths = listFiles(root, ['packages/server/migrations/*.sql']);
  const texts = paths.map((path) => readFileSync(join(root, path), 'utf8'));
  const silent = paths.filter((_, at) => !texts[at].startsWith('--'));
  const tables = readMigrations(texts);
  const written = readFileSync(join(root, DOCUMENT), 'utf8');
  const [head] = written.split(MARK);
  const text = `${head}${MARK}\n\n${describeTables(tables)}`;
  const problems = silent.map(
    (path) => `${path} does not begin with a comment that says what it is for`,
  );
  if (!check) writeFileSync(join(root, DOCUMENT), text);
  else if (text !== written) problems.push(`${DOCUMENT} is not up to date: run "npm run generate"`);
  for (const problem of problems) console.error(problem);
  const columns = [...tables.values()].reduce((sum, one) => sum + one.columns.length, 0);
  console.log(
    `storage: ${tables.size} tables with ${columns} columns in ${paths.length} migrations`,
  );
  if (problems.length > 0 || tables.size === 0 || columns === 0) process.exitCode = 1;
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  main(resolve(import.meta.dirname, '..'), process.argv.includes('--check'));
}
