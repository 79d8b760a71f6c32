import { html as build } from 'hono/html';

declare const made: unique symbol;

/** Markup made by `html`, and by nothing else: an object that merely looks like it is refused. */
export type Html = { readonly [made]: true; toString(): string };

/** What may stand in a template. `false` and `undefined` print nothing; everything but `Html` is escaped. */
export type HtmlValue = string | number | bigint | Html | readonly Html[] | false | undefined;

const ours = new WeakSet<object>();

/**
 * The one way to build markup (AS-135): every value is escaped for text and for quoted attributes.
 * Attributes are always quoted in templates; addresses from outside go through `safeUrl` first.
 *
 * @throws {TypeError} a value that is none of `HtmlValue`: a Promise, a plain object, foreign "escaped" markup
 */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  for (const value of values) {
    if (Array.isArray(value)) value.forEach(checkMarkup);
    else checkValue(value);
  }
  const built: unknown = build(strings, ...values);
  if (!(built instanceof String)) throw new TypeError('a template did not give markup at once');
  ours.add(built);
  return built as unknown as Html; // checked: built by the escaping tag from values checked above
}

/**
 * An address from outside as it may stand in `href`: absolute http or https, nothing else, and without
 * a user name, which would make `https://known.example@other.example` look like the wrong host.
 *
 * @returns the normalised address, or undefined when there must be no link
 */
export function safeUrl(address: string | undefined): string | undefined {
  if (address === undefined || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  if (url.username !== '' || url.password !== '') return undefined;
  return url.href;
}

function checkValue(value: unknown): void {
  if (value === false || value === undefined) return;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') return;
  checkMarkup(value);
}

function checkMarkup(value: unknown): void {
  if (typeof value === 'object' && value !== null && ours.has(value)) return;
  throw new TypeError('only text, numbers and markup made by html`` may stand in a template');
}
