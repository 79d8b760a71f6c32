/** A template that is not one, in words for its author. */
export class TemplateFault extends Error {
  override name = 'TemplateFault';
}

/** Where in HTML the next character stands. */
export type Place = {
  readonly state:
    | 'text'
    /** A comment or a declaration. */
    | 'comment'
    | 'declaration'
    /** Between the attributes of a tag; behind `=`; in a value without quotes. */
    | 'tag'
    | 'before-value'
    | 'unquoted'
    /** At the beginning of a quoted value, in the first word of one that is an address, or further in. */
    | 'value'
    | 'scheme'
    | 'within';
  /** The element of the tag, in lower case, and of what follows when its content is no text. */
  readonly element: string;
  readonly attribute: string;
  readonly quote: string;
  /** What an address begins with, as long as that may still become the name of its scheme. */
  readonly scheme: string;
};

export const BEGINNING: Place = {
  state: 'text',
  element: '',
  attribute: '',
  quote: '',
  scheme: '',
};

/** Their content is no text, and values never stand in it. */
const RAW = new Set(['style', 'title']);
/** No mail needs them: they run, load, or take what follows for something else. */
const REFUSED = new Set(
  'script iframe frame object embed applet base form textarea noscript noembed noframes xmp plaintext template svg math'.split(
    ' ',
  ),
);
/** Attributes whose value is more than text or one address. */
const NO_VALUES = new Set(['style', 'srcset', 'ping', 'http-equiv', 'content']);
/** Attributes whose value is an address, and the schemes that one may have; an image may also stand in its address. */
const ADDRESSED = new Set('href src action formaction background poster cite longdesc'.split(' '));
const SCHEMES = new Set(['http', 'https', 'mailto', 'tel', 'sms', 'cid']);

export function samePlace(one: Place, other: Place): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether a condition may begin here. */
export function mayBranch({ state, element }: Place): boolean {
  return (state === 'text' && element === '') || state === 'value' || state === 'within';
}

/**
 * The place behind a value.
 *
 * @throws {TemplateFault} escaping is not enough here to keep a value a value
 */
export function placeWithValue(place: Place, isAddress: boolean, tag: string): Place {
  const { state, element, attribute } = place;
  if (state === 'text' && element === '') return place;
  if (state !== 'value' && state !== 'within')
    throw new TemplateFault(`${tag}: a value may stand in text or in a quoted attribute only`);
  if (NO_VALUES.has(attribute))
    throw new TemplateFault(`${tag}: a value may not stand in the attribute ${attribute}`);
  if (state === 'value' && !isAddress)
    throw new TemplateFault(`${tag}: only an address may begin the value of an attribute`);
  return { ...place, state: 'within' };
}

/**
 * The place behind a piece of HTML that begins in a place.
 *
 * @throws {TemplateFault} an element or attribute that mails may not have
 */
export function placeAfter(start: Place, html: string): Place {
  let place = start;
  for (let at = 0; at < html.length; at += 1) place = next(place, html, at);
  // Whatever came next would be the name of an element.
  const begun = place.state === 'text' && place.element === '' && /<\/?$/.test(html);
  return begun ? { ...place, state: 'tag' } : place;
}

function next(place: Place, html: string, at: number): Place {
  const char = html[at] ?? '';
  switch (place.state) {
    case 'text':
      return fromText(place, html, at);
    case 'comment':
      return char === '>' && html.slice(Math.max(0, at - 2), at) === '--' ? BEGINNING : place;
    case 'declaration':
      return char === '>' ? BEGINNING : place;
    case 'tag':
      return inTag(place, char);
    case 'before-value':
      if (char === '"' || char === "'") return { ...place, state: 'value', quote: char };
      if (char === '>') return closed(place);
      return /\s/.test(char) ? place : { ...place, state: 'unquoted' };
    case 'unquoted':
      if (char === '>') return closed(place);
      return /\s/.test(char) ? { ...place, state: 'tag', attribute: '' } : place;
    case 'value':
    case 'scheme':
    case 'within':
      if (char === place.quote)
        return { ...place, state: 'tag', attribute: '', quote: '', scheme: '' };
      return inValue(place, char);
  }
}

function inValue(place: Place, char: string): Place {
  const { state, scheme, attribute } = place;
  if (state === 'within' || (state === 'value' && /\s/.test(char))) return place;
  const within: Place = { ...place, state: 'within', scheme: '' };
  if (!ADDRESSED.has(attribute) || /[/?#]/.test(char)) return within;
  if (char !== ':') return { ...place, state: 'scheme', scheme: scheme + char };
  const name = scheme.toLowerCase();
  if (SCHEMES.has(name) || (name === 'data' && attribute === 'src')) return within;
  throw new TemplateFault(
    `${attribute}="${scheme.slice(0, 40)}:": is no kind of address that mails may have`,
  );
}

function fromText(place: Place, html: string, at: number): Place {
  if (html[at] !== '<') return place;
  const rest = html.slice(at, at + 40);
  if (place.element !== '') {
    const isEnd = rest.slice(0, place.element.length + 2).toLowerCase() === `</${place.element}`;
    return isEnd ? { ...BEGINNING, state: 'tag' } : place;
  }
  if (rest.startsWith('<!--')) return { ...place, state: 'comment' };
  if (/^<[!?]/.test(rest)) return { ...place, state: 'declaration' };
  const found = /^<(\/?)([a-z][a-z0-9:-]*)/i.exec(rest);
  if (!found) return place;
  const element = (found[2] ?? '').toLowerCase();
  if (REFUSED.has(element))
    throw new TemplateFault(`<${element}>: is an element that mails may not have`);
  return { ...place, state: 'tag', element: found[1] === '/' ? '' : element };
}

function inTag(place: Place, char: string): Place {
  if (char === '>') return closed(place);
  if (char === '=') {
    const attribute = place.attribute.trimEnd().toLowerCase();
    if (/^on/.test(attribute))
      throw new TemplateFault(`${attribute.slice(0, 40)}: is an attribute that mails may not have`);
    return { ...place, state: 'before-value', attribute };
  }
  // The name of the element reads as an attribute that never has a value. Blanks may follow a name before its `=`.
  const { attribute } = place;
  if (/[\s/]/.test(char))
    return { ...place, attribute: attribute === '' ? '' : `${attribute.trimEnd()} ` };
  return { ...place, attribute: attribute.endsWith(' ') ? char : attribute + char };
}

function closed({ element }: Place): Place {
  return { ...BEGINNING, element: RAW.has(element) ? element : '' };
}
