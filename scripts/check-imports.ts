// Imports go one way: a server folder imports folders above it, a role is imported by whom its suffix allows,
// packages and libraries stay inside their fences. The data is in import-order.ts.
import { posix } from 'node:path';
import {
  EXCEPTIONS,
  MOUNTED_SUFFIXES,
  PACKAGE_IMPORTS,
  SERVER_FENCES,
  SERVER_ORDER,
  SERVER_ROOTS,
  STORE_FOLDERS,
} from './import-order.ts';
import { type Findings, isMain, report, repositoryRoot } from './report.ts';
import { isTestFile, listFiles, readSource, type SourceFile } from './source-files.ts';

type Import = {
  readonly specifier: string;
  readonly names: readonly string[];
  readonly typeOnly: boolean;
};

const SERVER = 'packages/server/src/';

/** Every module a file names: static and dynamic imports and re-exports. */
export function importsOf(file: SourceFile): Import[] {
  const { staticImports, staticExports, dynamicImports } = file.parsed.module;
  const imports: Import[] = staticImports.map(({ moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    names: entries.map((entry) => entry.importName.name ?? '*'),
    typeOnly: entries.length > 0 && entries.every((entry) => entry.isType),
  }));
  for (const { entries } of staticExports) {
    for (const { moduleRequest, isType } of entries) {
      if (moduleRequest)
        imports.push({ specifier: moduleRequest.value, names: ['*'], typeOnly: isType });
    }
  }
  for (const { moduleRequest } of dynamicImports) {
    const written = file.text.slice(moduleRequest.start, moduleRequest.end);
    const literal = /^(['"`])([^'"`$]*)\1$/.exec(written)?.[2];
    if (literal !== undefined) imports.push({ specifier: literal, names: ['*'], typeOnly: false });
  }
  return imports;
}

/** The row of the order a file of the server stands in; undefined for the composition root and for unknown folders. */
function placeOf(inServer: string): { folder: string; row: number } | undefined {
  const folder = posix.dirname(inServer);
  let found: { folder: string; row: number } | undefined;
  SERVER_ORDER.forEach((names, row) => {
    for (const name of names) {
      const holds = folder === name || folder.startsWith(`${name}/`);
      if (holds && name.length > (found?.folder.length ?? 0)) found = { folder: name, row };
    }
  });
  return found;
}

/** The role a file's name states: `clients.store.ts` is a store. */
function roleOf(path: string): string | undefined {
  return /\.(routes|page|rpc|job|store)\.ts$/.exec(path)?.[1];
}

function isRoot(inServer: string): boolean {
  return SERVER_ROOTS.includes(inServer.replace(/\.ts$/, ''));
}

function checkServerImport(
  from: string,
  to: string,
  { typeOnly, names }: Import,
): string | undefined {
  const target = placeOf(to);
  const role = roleOf(to);
  if (isRoot(from)) return undefined;
  const source = placeOf(from);
  if (!source) return 'its folder is not in scripts/import-order.ts';
  if (isRoot(to)) return 'only tests and the composition root import the composition root';
  if (!target) return `the folder of ${to} is not in scripts/import-order.ts`;
  if (target.row > source.row)
    return `${source.folder}/ stands above ${target.folder}/ and must not import it`;
  if (role && MOUNTED_SUFFIXES.includes(role))
    return `a .${role} is imported by gatewarden.ts only`;
  const fromStore = roleOf(from) === 'store';
  if (fromStore && !typeOnly && target.row !== source.row && role !== 'store') {
    if (!STORE_FOLDERS.includes(target.folder))
      return `a .store uses ${target.folder}/ for types only`;
  }
  if (
    to === 'storage/db.ts' &&
    names.includes('sql') &&
    !fromStore &&
    source.folder !== 'storage'
  ) {
    return 'SQL is written in .store files';
  }
  return undefined;
}

/** Where an import inside the server leads: a file of the server, or a library. */
function targetOf(from: string, { specifier }: Import): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : specifier;
}

function checkServerFile(from: string, imported: Import): string | undefined {
  const to = targetOf(from, imported);
  if (imported.specifier.startsWith('.')) {
    return to.startsWith('..') ? undefined : checkServerImport(from, to, imported);
  }
  const fence = SERVER_FENCES.find(({ library }) => library.test(to));
  if (!fence || fence.allowed.test(from)) return undefined;
  return imported.typeOnly && fence.typesAllowed?.test(from) ? undefined : fence.why;
}

/** Suites of functions rather than of servers: what is under test there, and nothing else of ours. */
const CONFORMANCE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  'conformance/faults/': ['doctor'],
  'conformance/server-suite/': ['resource-server', 'proxy'],
  'conformance/docs-code/': ['resource-server', 'proxy'],
  'conformance/sdk-': ['resource-server', 'sdk'],
  // Both SDKs tell the same story.
  'conformance/vendor-coverage': ['server', 'sdk'],
  'conformance/python/': ['server'],
  // The vendor's SDK on both engines, with the test's clock and database.
  'conformance/vendor-': ['server', 'contract'],
  'conformance/adapters/': [
    'resource-server',
    'express',
    'fastify',
    'hono',
    'next',
    'fastmcp',
    'xmcp',
    'mcp-sdk',
  ],
};

function checkPackages(file: SourceFile, { specifier }: Import): string | undefined {
  const own = /^packages\/([^/]+)\//.exec(file.path)?.[1];
  if (specifier.startsWith('.')) {
    const to = posix.join(posix.dirname(file.path), specifier);
    const other = /^packages\/([^/]+)\//.exec(to)?.[1];
    return other !== undefined && other !== own
      ? 'another package is imported by its name'
      : undefined;
  }
  const other = /^@gatewarden\/([^/]+)/.exec(specifier)?.[1];
  if (!other || other === own) return undefined;
  if (file.path.startsWith('conformance/')) {
    const suite = Object.keys(CONFORMANCE_IMPORTS).find((folder) => file.path.startsWith(folder));
    return CONFORMANCE_IMPORTS[suite ?? '']?.includes(other)
      ? undefined
      : 'conformance tests look from outside: no imports of ours';
  }
  if (!own || isTestFile(file.path)) return undefined;
  const allowed = PACKAGE_IMPORTS[own];
  if (!allowed) return `the package ${own} is not in scripts/import-order.ts`;
  return allowed.includes(other) ? undefined : `${own} must not import @gatewarden/${other}`;
}

/** Looks at every import of the repository's packages. */
export function checkImports(root: string, exceptions: Readonly<Record<string, string>>): Findings {
  const files = listFiles(root, ['packages/*/{src,test}/**/*.ts', 'conformance/**/*.ts']);
  const problems: string[] = [];
  const unused = new Set(Object.keys(exceptions));
  let looked = 0;
  for (const path of files) {
    const file = readSource(root, path);
    const from =
      path.startsWith(SERVER) && !isTestFile(path) ? path.slice(SERVER.length) : undefined;
    for (const imported of importsOf(file)) {
      looked += 1;
      const crossing = checkPackages(file, imported);
      const inside = from === undefined ? undefined : checkServerFile(from, imported);
      const excuse = from === undefined ? '' : `${from} > ${targetOf(from, imported)}`;
      const excused = inside !== undefined && Object.hasOwn(exceptions, excuse);
      if (excused) unused.delete(excuse);
      const problem = crossing ?? (excused ? undefined : inside);
      if (problem) problems.push(`${path}: imports ${imported.specifier}: ${problem}`);
    }
  }
  for (const excuse of unused)
    problems.push(`scripts/import-order.ts: nothing needs the exception "${excuse}"`);
  return { looked, what: `imports in ${files.length} files`, problems };
}

if (isMain(import.meta.url)) report('check-imports', checkImports(repositoryRoot, EXCEPTIONS));
