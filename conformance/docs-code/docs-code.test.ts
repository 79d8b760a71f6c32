import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { loadToolScopeMap } from '@gatewarden/resource-server/yaml';
import { type Running, startGatewarden } from '../gatewarden-process.ts';
import { type Block, documents, readBlocks } from './blocks.ts';
import {
  completed,
  runIdentity,
  runMetadata,
  runOpen,
  runProgram,
  runProxy,
  runRoutes,
  runServer,
  runShell,
  runStarts,
} from './run-block.ts';

const root = resolve(import.meta.dirname, '../..');
const blocks = documents(root).flatMap((file) => readBlocks(root, file));

/** Blocks that are shown and not run: output, pictures, files of other programs. */
const shown = ['text', 'mermaid', 'diff', 'ini', 'http'];

const kinds: Readonly<
  Record<string, (t: TestContext, block: Block, gatewarden: Running) => Promise<void>>
> = {
  open: runOpen,
  server: runServer,
  routes: runRoutes,
  metadata: runMetadata,
  identity: runIdentity,
  proxy: async (t, block, gatewarden) => {
    const tools = blocks.find(({ file, kind }) => file === block.file && kind === 'tool-map');
    await runProxy(t, block, gatewarden, tools?.text ?? '');
  },
  program: runProgram,
  shell: runShell,
  starts: runStarts,
};

test('every code block of the documents says how it is run, and one that is not run says why (SKILL-3)', () => {
  assert.ok(blocks.length > 20, `${blocks.length} blocks`);
  const silent = blocks.filter(
    ({ language, kind, settings }) =>
      !shown.includes(language) &&
      !(kind === 'elsewhere' && settings['test']) &&
      !['tool-map', 'declaration'].includes(kind ?? '') &&
      !['json', 'yaml'].includes(language) &&
      !Object.hasOwn(kinds, kind ?? ''),
  );
  assert.deepEqual(
    silent.map(({ file, line, language, kind }) => `${file}:${line} (${language}) ${kind ?? ''}`),
    [],
  );
});

test('code blocks that a test of their own runs are named in that test, and parse (SKILL-3)', async () => {
  const { readFileSync } = await import('node:fs');
  for (const block of blocks.filter(({ kind }) => kind === 'elsewhere')) {
    const path = resolve(root, block.settings['test'] ?? '');
    const source = readFileSync(path, 'utf8');
    assert.ok(
      path.endsWith('.test.ts') && source.length > 0,
      `${block.file}:${block.line}: ${path} is no test`,
    );
    if (block.language === 'sh') await promisify(execFile)('bash', ['-n', '-c', block.text]);
    if (['js', 'ts'].includes(block.language)) stripTypeScriptTypes(block.text);
  }
});

test("the README's protected server differs from the open one by at most six lines (SKILL-3)", () => {
  const readme = blocks.filter(({ file }) => file === 'README.md');
  const lines = (kind: string): string[] =>
    readme.find((block) => block.kind === kind)?.text.split('\n') ?? [];
  const [open, guarded] = [lines('open'), lines('server')];
  assert.ok(open.length > 10 && guarded.some((line) => line.includes('gatewarden(')));
  assert.ok(guarded.filter((line) => !open.includes(line)).length <= 6);
  assert.ok(open.filter((line) => !guarded.includes(line)).length <= 1);
});

test('JSON and tool maps of the documents are what their readers expect (SKILL-3, SKILL-12)', () => {
  assert.ok(blocks.some(({ kind }) => kind === 'tool-map'));
  for (const block of blocks) {
    if (block.language === 'json')
      assert.doesNotThrow(() => JSON.parse(block.text), `${block.file}:${block.line}`);
    if (block.kind === 'tool-map')
      assert.doesNotThrow(() => loadToolScopeMap(block.text), `${block.file}:${block.line}`);
  }
});

test('the code of the documents runs as it is printed (SKILL-3)', async (t) => {
  const gatewarden = await startGatewarden(t);
  for (const block of blocks) {
    const run = kinds[block.kind ?? ''];
    if (!run) continue;
    const declaration = blocks.find(
      ({ file, kind }) => file === block.file && kind === 'declaration',
    );
    await t.test(
      `${block.file}:${block.line}`,
      async (t) => await run(t, completed(block, declaration), gatewarden),
    );
  }
});
