/**
 * Makes text that strangers chose (client names, organization names, user agents) fit to be shown:
 * no control, format, bidirectional override, zero-width or private-use characters, no piles of
 * combining marks, no line breaks, single spaces (AS-62). The result is plain text and is escaped
 * by `html` like any other.
 *
 * @param max most characters (graphemes) kept; a longer text ends in an ellipsis
 * @returns the cleaned text; an empty string when nothing visible is left
 */
export function displayName(raw: string, max: number): string {
  const clean = raw
    .slice(0, max * 32) // a bound on work before the expensive part; a grapheme kept below has few code units
    .toWellFormed()
    .normalize('NFC')
    .replace(/\s+/gu, ' ')
    .replace(INVISIBLE, '')
    .replace(/(\p{M}{2})\p{M}+/gu, '$1')
    .replace(/ {2,}/gu, ' ')
    .trim();
  const graphemes = Array.from(segmenter.segment(clean), (part) => part.segment);
  if (graphemes.length <= max) return /[^\p{M}\s]/u.test(clean) ? clean : '';
  return `${graphemes
    .slice(0, max - 1)
    .join('')
    .trimEnd()}…`;
}

/** Letters that print nothing though Unicode calls them letters or symbols: Hangul fillers, braille blank, invisible Khmer vowels. */
const BLANK = '\\u115F\\u1160\\u3164\\uFFA0\\u2800\\u17B4\\u17B5\\u034F';
/** Cc control, Cf format (all bidi and zero-width characters), Co private use, Cn unassigned, Cs lone surrogates, variation selectors. */
const INVISIBLE = new RegExp(`[\\p{C}\\p{Zl}\\p{Zp}\\p{Variation_Selector}\\uFFFD${BLANK}]`, 'gu');

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The first letter or digit of a name, for the neutral tile that stands where a logo would. */
export function initial(name: string): string {
  const letter = /[\p{L}\p{N}]/u.exec(name)?.[0];
  return letter === undefined ? '?' : letter.toLocaleUpperCase('en');
}

/** An address of a person as it is shown before sign-in: `a•••@example.com`. */
export function maskedEmail(email: string): string {
  const at = email.lastIndexOf('@');
  if (at < 1) return '•••';
  return `${Array.from(email)[0] ?? ''}•••${email.slice(at)}`;
}

/** A word at the beginning of a label: "workspace" becomes "Workspace". */
export function capitalized(word: string): string {
  const [first = '', ...rest] = Array.from(word);
  return first.toLocaleUpperCase('en') + rest.join('');
}
