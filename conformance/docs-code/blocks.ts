import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** A fenced code block of a document, and how the comment above it says it is run. */
export type Block = {
  /** Path of the document inside the repository. */
  readonly file: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly kind: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
};

const skipped = new Set(['node_modules', '.git', 'results', 'screens']);

/** Every Markdown document that people are meant to follow. */
export function documents(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name) || entry.name.startsWith('.')) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith('.md')) found.push(relative(root, path));
    }
  };
  walk(root);
  return found.sort();
}

/**
 * Reads the fenced blocks of a document (CommonMark §4.5). How one is run stands in a comment right above it:
 * `<!-- run: KIND name=value … -->`.
 *
 * @throws {Error} a fence that is never closed
 */
export function readBlocks(root: string, file: string): Block[] {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const blocks: Block[] = [];
  let directive: string | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const fence = /^(\s*)```([a-z]*)\s*$/.exec(line);
    if (!fence) {
      directive =
        /^\s*<!-- run: (.+?) -->\s*$/.exec(line)?.[1] ??
        (line.trim() === '' ? directive : undefined);
      continue;
    }
    const [, indent = '', language = ''] = fence;
    const end = lines.findIndex((other, index) => index > at && other.trim() === '```');
    if (end < 0) throw new Error(`${file}:${at + 1}: the block is never closed`);
    const text = lines
      .slice(at + 1, end)
      .map((each) => (each.startsWith(indent) ? each.slice(indent.length) : each))
      .join('\n');
    const [kind, ...settings] = directive?.split(/\s+/) ?? [];
    blocks.push({
      file,
      line: at + 1,
      language,
      text,
      kind,
      settings: Object.fromEntries(settings.map((each) => each.split(/=(.*)/s).slice(0, 2))),
    });
    directive = undefined;
    at = end;
  }
  return blocks;
}
