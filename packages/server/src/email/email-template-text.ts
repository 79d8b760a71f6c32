import {
  BEGINNING,
  mayBranch,
  type Place,
  placeAfter,
  placeWithValue,
  samePlace,
  TemplateFault,
} from './email-template-html.ts';

/**
 * The language of mail templates: `{{name}}` is a value, and `{{if name}} … {{else}} … {{end}}` shows a part when there is a
 * value, or when there is none. Nothing is computed and nothing is executed.
 */

/** Where a value stands. In HTML it is escaped, and may stand only where escaping is enough. */
export type TemplateForm = 'html' | 'text';

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string }
  | {
      readonly kind: 'if';
      readonly name: string;
      readonly whenGiven: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** Values that are addresses, and so may begin one. */
const ADDRESSES = new Set(['link', 'app_logo_url']);

const DEEPEST = 10;
const MOST_TAGS = 2000;

type Tag = { readonly words: readonly string[]; readonly text: string };
type Piece = string | Tag;

/**
 * Reads a template.
 *
 * @param isKnown which names have values
 * @throws {TemplateFault} not of the language, an unknown name, or a value where it could become more than text
 */
export function parseTemplate(
  source: string,
  form: TemplateForm,
  isKnown: (name: string) => boolean,
): readonly TemplateNode[] {
  const pieces = piecesOf(source);
  let next = 0;
  const readName = (name: string | undefined, tag: Tag): string => {
    if (name === undefined || !isKnown(name))
      throw new TemplateFault(`${tag.text}: there is no such variable`);
    return name;
  };
  const readNodes = (
    depth: number,
    start: Place,
  ): { nodes: TemplateNode[]; place: Place; end: string } => {
    if (depth > DEEPEST) throw new TemplateFault(`parts are nested more than ${DEEPEST} deep`);
    const nodes: TemplateNode[] = [];
    let place = start;
    for (;;) {
      const piece = pieces[next];
      next += 1;
      if (piece === undefined) return { nodes, place, end: '' };
      if (typeof piece === 'string') {
        nodes.push({ kind: 'text', text: piece });
        if (form === 'html') place = placeAfter(place, piece);
        continue;
      }
      const [word, name, more] = piece.words;
      if (more !== undefined) throw new TemplateFault(`${piece.text}: has too many words`);
      if (word === 'if') {
        const asked = readName(name, piece);
        if (!mayBranch(place))
          throw new TemplateFault(`${piece.text}: may stand in text or in a quoted attribute only`);
        const first = readNodes(depth + 1, place);
        const second = first.end === 'else' ? readNodes(depth + 1, place) : undefined;
        if ((second ?? first).end !== 'end')
          throw new TemplateFault(`${piece.text}: has no {{end}}`);
        if (!samePlace(first.place, second?.place ?? place))
          throw new TemplateFault(
            `${piece.text}: its parts do not end in the same place of the HTML`,
          );
        place = first.place;
        nodes.push({
          kind: 'if',
          name: asked,
          whenGiven: first.nodes,
          otherwise: second?.nodes ?? [],
        });
        continue;
      }
      if (name !== undefined)
        throw new TemplateFault(`${piece.text}: begins with no word of the language`);
      if (word === 'else' || word === 'end') {
        if (depth === 0) throw new TemplateFault(`${piece.text}: belongs to no {{if}}`);
        return { nodes, place, end: word };
      }
      const value = readName(word, piece);
      if (form === 'html') place = placeWithValue(place, ADDRESSES.has(value), piece.text);
      nodes.push({ kind: 'value', name: value });
    }
  };
  return readNodes(0, BEGINNING).nodes;
}

/** Writes a template with values; one that is absent is empty. */
export function renderTemplate(
  nodes: readonly TemplateNode[],
  form: TemplateForm,
  values: Readonly<Record<string, string>>,
): string {
  let text = '';
  for (const node of nodes) {
    if (node.kind === 'text') text += node.text;
    else if (node.kind === 'value')
      text += form === 'html' ? escaped(given(values, node.name)) : given(values, node.name);
    else {
      const part = given(values, node.name) === '' ? node.otherwise : node.whenGiven;
      text += renderTemplate(part, form, values);
    }
  }
  return text;
}

/** Names that a template mentions. */
export function namesIn(nodes: readonly TemplateNode[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of nodes) {
    if (node.kind === 'text') continue;
    names.add(node.name);
    if (node.kind === 'if')
      for (const name of namesIn([...node.whenGiven, ...node.otherwise])) names.add(name);
  }
  return names;
}

function given(values: Readonly<Record<string, string>>, name: string): string {
  return Object.hasOwn(values, name) ? (values[name] ?? '') : '';
}

function piecesOf(source: string): Piece[] {
  const pieces: Piece[] = [];
  const parts = source.split(/(\{\{[^{}]*\}\})/);
  if (parts.length > MOST_TAGS * 2) throw new TemplateFault(`has more than ${MOST_TAGS} tags`);
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 0) {
      const stray = /\{\{|\}\}/.exec(part);
      if (stray) throw new TemplateFault(`${stray[0]} stands alone`);
      if (part !== '') pieces.push(part);
      continue;
    }
    if (parts[index - 1]?.endsWith('{') || parts[index + 1]?.startsWith('}'))
      throw new TemplateFault(`${part.slice(0, 60)}: has more than two braces`);
    const words = part.slice(2, -2).trim().split(/\s+/);
    pieces.push({ words, text: part.length > 60 ? `${part.slice(0, 60)}…` : part });
  }
  return pieces;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(value: string): string {
  return value.replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
}
