// Markup is built by the html tag of pages/html.ts, with quoted attributes, without style= and inline handlers:
// the tag escapes values for text and for quoted attributes, and for nothing else.
import { type Expression, type Node, type TemplateLiteral, Visitor } from 'oxc-parser';
import { type Findings, isMain, report, repositoryRoot } from './report.ts';
import { isTestFile, lineOf, listFiles, readSource, type SourceFile } from './source-files.ts';

const BUILDER = 'packages/server/src/pages/html.ts';
/** Stands for an expression while a template is read; a character no template contains. */
const HOLE = '\uE000';
const ELEMENT =
  /<\/?(a|article|body|button|code|dd|div|dl|dt|fieldset|footer|form|h[1-6]|head|header|html|iframe|img|input|label|li|link|main|meta|nav|ol|option|p|script|section|select|small|span|strong|style|svg|table|td|textarea|th|tr|ul)(\s[^<]*)?>/i;

/** Whether an expression between attributes can only be markup or nothing: text there could add attributes. */
function isMarkupOnly(node: Expression): boolean {
  if (node.type === 'ConditionalExpression')
    return isMarkupOnly(node.consequent) && isMarkupOnly(node.alternate);
  if (node.type === 'LogicalExpression') return isMarkupOnly(node.right);
  if (node.type === 'TaggedTemplateExpression') return true;
  if (node.type === 'Identifier') return node.name === 'undefined';
  return node.type === 'Literal' && (node.value === false || node.value === '');
}

type Tag = { readonly start: number; readonly text: string };

/** The tags of a template, quotes respected: a > inside a quoted value does not end a tag. */
function tagsOf(markup: string): Tag[] {
  return [...markup.matchAll(/<[a-zA-Z](?:"[^"]*"|'[^']*'|[^"'>])*>?/g)].map((match) => ({
    start: match.index,
    text: match[0],
  }));
}

function problemsOfTag(tag: Tag, isSafeHole: (offset: number) => boolean): string[] {
  const problems: string[] = [];
  const unquoted = tag.text.replace(
    /"[^"]*"|'[^']*'/g,
    (quoted) => `"${'q'.repeat(quoted.length - 2)}"`,
  );
  if (/=\s*[^\s"'>=]/.test(unquoted)) problems.push('an attribute without quotes');
  if (/\sstyle\s*=/i.test(unquoted)) problems.push('a style attribute');
  if (/\son[a-z]+\s*=/i.test(unquoted)) problems.push('an inline event handler');
  const holes = [...unquoted.matchAll(/\uE000/g)].map(({ index }) => index);
  if (holes.some((index) => !isSafeHole(tag.start + index))) {
    problems.push('a value between attributes that is not markup or nothing');
  }
  return problems;
}

/** What is wrong with one html`` template. */
export function problemsOfTemplate({ quasis, expressions }: TemplateLiteral): string[] {
  const holes = new Map<number, Expression>();
  let markup = '';
  quasis.forEach((quasi, index) => {
    markup += quasi.value.cooked ?? quasi.value.raw;
    const expression = expressions[index];
    if (!expression) return;
    holes.set(markup.length, expression);
    markup += HOLE;
  });
  const isSafeHole = (offset: number): boolean => {
    const expression = holes.get(offset);
    return expression !== undefined && isMarkupOnly(expression);
  };
  // A fragment such as html` checked` has no tag of its own: its attributes are looked at as if they stood in one.
  const loose = /^\s*[\w-]+\s*=/.test(markup) && !markup.includes('<');
  const tags = loose ? [{ start: -3, text: `<x ${markup}>` }] : tagsOf(markup);
  const problems = tags.flatMap((tag) => problemsOfTag(tag, isSafeHole));
  if (/<\/?\uE000/.test(markup)) problems.push('a tag name made of a value');
  for (const [, content] of markup.matchAll(/<(?:script|style)\b[^>]*>([^<]*)/gi)) {
    if (content?.includes(HOLE)) problems.push('a value inside a script or style element');
  }
  return problems;
}

/** Every violation of one file, and how many templates it has. */
export function htmlProblems(file: SourceFile): { templates: number; problems: string[] } {
  const problems: string[] = [];
  const tagged = new Set<Node>();
  let templates = 0;
  const at = (node: Node, problem: string): void => {
    problems.push(`${file.path}:${lineOf(file.text, node.start)}: ${problem}`);
  };
  new Visitor({
    TaggedTemplateExpression: (node) => {
      tagged.add(node.quasi);
      if (node.tag.type !== 'Identifier' || node.tag.name !== 'html') return;
      templates += 1;
      for (const problem of problemsOfTemplate(node.quasi)) at(node, problem);
    },
    TemplateLiteral: (node) => {
      if (tagged.has(node)) return;
      if (ELEMENT.test(node.quasis.map((quasi) => quasi.value.raw).join(HOLE)))
        at(node, 'markup outside the html tag');
    },
    Literal: (node) => {
      if (typeof node.value === 'string' && ELEMENT.test(node.value))
        at(node, 'markup outside the html tag');
    },
    CallExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'raw') at(node, 'raw()');
    },
    Identifier: (node) => {
      if (node.name === 'isEscaped') at(node, 'isEscaped: only html`` makes markup');
    },
    ImportDeclaration: (node) => {
      if (/^hono\//.test(node.source.value))
        at(node, `${node.source.value}: markup comes from pages/html.ts`);
    },
  }).visit(file.parsed.program);
  return { templates, problems };
}

/** Looks at every template of the server and of the demo. */
export function checkHtml(root: string): Findings {
  const files = listFiles(root, ['packages/{server,demo,express}/src/**/*.ts']).filter(
    (path) => path !== BUILDER && !isTestFile(path),
  );
  const found = files.map((path) => htmlProblems(readSource(root, path)));
  return {
    looked: found.reduce((sum, { templates }) => sum + templates, 0),
    what: `templates in ${files.length} files`,
    problems: found.flatMap(({ problems }) => problems),
  };
}

if (isMain(import.meta.url)) report('check-html', checkHtml(repositoryRoot));
