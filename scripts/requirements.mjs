// docs/requirements.md says for every requirement which tests name it. It is made from docs/requirements.yaml and from
// test titles, read without running anything; with --check it must already say so.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Visitor } from 'oxc-parser';
import { parse } from 'yaml';
import { listFiles, readSource } from './source-files.ts';

const LIST = 'docs/requirements.yaml';
const TABLE = 'docs/requirements.md';
/** Tests, and the tables whose rows are the tests of every adapter. */
const TITLED = [
  'packages/**/*.test.ts',
  'conformance/**/*.test.ts',
  'conformance/adapters/table-*.ts',
];
const LEVELS = ['MUST', 'SHOULD', 'MAY'];

/** Reads the list and refuses what is not one: ids twice, unknown levels, empty texts. */
export function readRequirements(text) {
  const list = parse(text);
  if (!Array.isArray(list)) throw new Error(`${LIST} is not a list`);
  const seen = new Set();
  for (const { id, level, says, deferred } of list) {
    if (!/^(AS|RS|SKILL)-\d+$/.test(id ?? '')) throw new Error(`${LIST}: "${id}" is not an id`);
    if (seen.has(id)) throw new Error(`${LIST}: ${id} stands there twice`);
    if (!LEVELS.includes(level)) throw new Error(`${LIST}: ${id} has the level "${level}"`);
    if (typeof says !== 'string' || says === '') throw new Error(`${LIST}: ${id} says nothing`);
    if (deferred !== undefined && !deferred)
      throw new Error(`${LIST}: ${id} is deferred without a reason`);
    seen.add(id);
  }
  return list;
}

/** The text of a string, a template (values shown as …) or a sum of them; undefined for anything else. */
function textOf(node) {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral')
    return node.quasis.map(({ value }) => value.cooked).join('…');
  if (node?.type !== 'BinaryExpression' || node.operator !== '+') return undefined;
  const [left, right] = [textOf(node.left), textOf(node.right)];
  return left === undefined && right === undefined ? undefined : `${left ?? '…'}${right ?? '…'}`;
}

const isFunction = (node) =>
  node?.type === 'ArrowFunctionExpression' || node?.type === 'FunctionExpression';

/** Titles of the tests of one parsed file: calls that are given a text first and a function last. */
export function titlesOf(file) {
  const titles = [];
  new Visitor({
    CallExpression({ arguments: args }) {
      const title = textOf(args[0]);
      if (title !== undefined && isFunction(args.at(-1))) titles.push(title);
    },
  }).visit(file.parsed.program);
  return titles;
}

/** The ids a title names: single ones, lists, and ranges such as "AS-108 to AS-110". */
export function idsIn(title) {
  const ids = new Set();
  for (const [, kind, from, to] of title.matchAll(
    /\b(AS|RS|SKILL)-(\d+)(?:\s*(?:to|–|\.\.)\s*\1-(\d+))?/g,
  )) {
    ids.add(`${kind}-${from}`);
    for (let n = Number(from) + 1; n <= Number(to ?? from); n += 1) ids.add(`${kind}-${n}`);
  }
  return [...ids];
}

/** The ends of ranges and single ids: those a title names itself, which must exist. */
const namedIn = (title) => title.match(/\b(?:AS|RS|SKILL)-\d+/g) ?? [];

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');

/** Makes the table. `files` are test files with their titles; returns the text and what is wrong with the titles. */
export function requirementsTable(requirements, files) {
  const tests = new Map(requirements.map(({ id }) => [id, []]));
  const problems = [];
  for (const { path, titles } of files) {
    for (const title of titles) {
      for (const id of namedIn(title)) {
        if (!tests.has(id))
          problems.push(`${path}: "${title}" names ${id}, which is not in ${LIST}`);
      }
      for (const id of idsIn(title)) tests.get(id)?.push(`[${cell(title)}](../${path})`);
    }
  }
  const statusOf = ({ id, deferred }) => {
    if (deferred) return `deferred: ${deferred}`;
    return tests.get(id).length > 0 ? 'tested' : 'missing';
  };
  const count = (status) => requirements.filter((one) => statusOf(one).startsWith(status)).length;
  const rows = requirements.map((one) => {
    const { id, level, says } = one;
    return `| ${id} | ${level} | ${cell(says)} | ${cell(statusOf(one))} | ${tests.get(id).join('<br>')} |`;
  });
  const text = [
    '# Requirements and their tests',
    '',
    'Made by `npm run generate` from `requirements.yaml` and the titles of the tests; do not edit.',
    '',
    `${requirements.length} requirements: ${count('tested')} tested, ${count('missing')} missing, ${count('deferred')} deferred.`,
    '',
    '| Id | Level | Requirement | Status | Tests |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
  return { text, problems };
}

function main(root, check) {
  const requirements = readRequirements(readFileSync(join(root, LIST), 'utf8'));
  const paths = listFiles(root, TITLED);
  const files = paths.map((path) => ({ path, titles: titlesOf(readSource(root, path)) }));
  const titles = files.reduce((sum, one) => sum + one.titles.length, 0);
  const { text, problems } = requirementsTable(requirements, files);
  const table = join(root, TABLE);
  if (!check) writeFileSync(table, text);
  else if (!existsSync(table) || readFileSync(table, 'utf8') !== text) {
    problems.push(`${TABLE} is not up to date: run "npm run generate"`);
  }
  for (const problem of problems) console.error(problem);
  console.log(
    `requirements: ${requirements.length} requirements, ${titles} titles in ${files.length} test files`,
  );
  if (problems.length > 0 || requirements.length === 0 || titles === 0) process.exitCode = 1;
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  main(resolve(import.meta.dirname, '..'), process.argv.includes('--check'));
}
