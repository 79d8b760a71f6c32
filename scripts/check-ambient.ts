// Time, chance and the network arrive in ctx: outside runtime/ nothing asks the machine for them.
import { type Node, Visitor } from 'oxc-parser';
import { type Findings, isMain, report, repositoryRoot } from './report.ts';
import { isTestFile, lineOf, listFiles, readSource, type SourceFile } from './source-files.ts';

/** Files that may, with the reason. A path that no longer exists fails the check. */
export type Exceptions = Readonly<Record<string, string>>;

export const AMBIENT_EXCEPTIONS: Exceptions = {};

const GLOBALS = ['globalThis', 'global', 'window', 'self'];
const TIMERS = ['setTimeout', 'setInterval'];
const CHANCE = /^(random|getRandomValues)/;
/** Where timers may run: nothing there decides by them what is valid, they only wait or give up. */
const MAY_WAIT =
  /\.job\.ts$|^packages\/server\/src\/(http\/|storage\/|gatewarden\.ts$|main\.ts$)|^packages\/cli\/src\/(workers|login\/callback-listener)\.ts$/;

function nameOf(node: Node | null | undefined): string | undefined {
  return node?.type === 'Identifier' ? node.name : undefined;
}

/** The property a member expression reads, written with a dot or as a literal in brackets. */
function propertyOf(node: Node): string | undefined {
  if (node.type !== 'MemberExpression') return undefined;
  if (!node.computed) return nameOf(node.property);
  return node.property.type === 'Literal' ? String(node.property.value) : undefined;
}

/** What is wrong with reading `object.property`, if anything. */
function forbiddenMember(
  object: string | undefined,
  property: string | undefined,
): string | undefined {
  if (object === 'Date' && property === 'now') return 'Date.now(): use ctx.now()';
  if (object === 'performance' && property === 'timeOrigin') return 'a clock: use ctx.now()';
  if (object === 'Math' && property === 'random') return 'Math.random(): use ctx.random()';
  const crypto = object === 'crypto' || object === 'webcrypto';
  if (crypto && property && CHANCE.test(property)) return `crypto.${property}: use ctx.random()`;
  if (object && GLOBALS.includes(object) && property === 'fetch')
    return 'global fetch: use ctx.fetch';
  if (object === 'process' && property === 'env')
    return 'process.env: settings are read in main.ts';
  return undefined;
}

/** Names a file declares itself: a parameter called fetch is not the global one. */
function declaredNames(file: SourceFile): Set<string> {
  const names = new Set<string>();
  const add = (node: Node): void => {
    if (node.type === 'Identifier') names.add(node.name);
    if (node.type === 'AssignmentPattern') add(node.left);
    if (node.type === 'ObjectPattern') {
      for (const property of node.properties) if (property.type === 'Property') add(property.value);
    }
  };
  new Visitor({
    VariableDeclarator: (node) => add(node.id),
    FunctionDeclaration: (node) => {
      for (const param of node.params) add(param);
    },
    ArrowFunctionExpression: (node) => {
      for (const param of node.params) add(param);
    },
    ImportSpecifier: (node) => add(node.local),
  }).visit(file.parsed.program);
  return names;
}

/** Every place of one file that asks the machine for time, chance or the network. */
export function ambientUses(file: SourceFile): string[] {
  const problems: string[] = [];
  const declared = declaredNames(file);
  const at = (node: Node, problem: string | undefined): void => {
    if (problem) problems.push(`${file.path}:${lineOf(file.text, node.start)}: ${problem}`);
  };
  new Visitor({
    NewExpression: (node) => {
      const name = nameOf(node.callee);
      if (name === 'Date' && node.arguments.length === 0) at(node, 'new Date(): use ctx.now()');
      if (name === 'WebSocket' || name === 'EventSource') at(node, `${name}: use ctx.fetch`);
    },
    CallExpression: (node) => {
      const name = nameOf(node.callee);
      if (!name) return;
      if (name === 'Date') at(node, 'Date(): use ctx.now()');
      if (declared.has(name)) return;
      if (name === 'fetch') at(node, 'global fetch: use ctx.fetch');
      if (TIMERS.includes(name) && !MAY_WAIT.test(file.path))
        at(node, `${name}: a clock outside ctx`);
    },
    MemberExpression: (node) => {
      if (propertyOf(node) === 'env' && /\/src\/main\.ts$|^packages\/cli\//.test(file.path)) return;
      const inner = node.object.type === 'MemberExpression' ? propertyOf(node.object) : undefined;
      at(node, forbiddenMember(nameOf(node.object) ?? inner, propertyOf(node)));
    },
    ImportDeclaration: (node) => {
      const from = node.source.value;
      if (/^(node:)?timers/.test(from) && !MAY_WAIT.test(file.path))
        at(node, `${from}: a clock outside ctx`);
      if (!/^(node:)?crypto$/.test(from)) return;
      for (const specifier of node.specifiers) {
        const imported =
          specifier.type === 'ImportSpecifier' ? nameOf(specifier.imported) : undefined;
        if (imported && CHANCE.test(imported)) at(specifier, `${imported}: use ctx.random()`);
      }
    },
  }).visit(file.parsed.program);
  return problems;
}

/** Looks at the sources of the packages, tests and every runtime/ folder left out. */
export function checkAmbient(root: string, exceptions: Exceptions): Findings {
  const files = listFiles(root, ['packages/*/src/**/*.ts']).filter(
    (path) => !isTestFile(path) && !/^packages\/[^/]+\/src\/runtime\//.test(path),
  );
  const problems = Object.keys(exceptions)
    .filter((path) => !files.includes(path))
    .map((path) => `${path}: has an exception and does not exist`);
  for (const path of files) {
    if (!Object.hasOwn(exceptions, path)) problems.push(...ambientUses(readSource(root, path)));
  }
  return { looked: files.length, what: 'source files', problems };
}

if (isMain(import.meta.url))
  report('check-ambient', checkAmbient(repositoryRoot, AMBIENT_EXCEPTIONS));
