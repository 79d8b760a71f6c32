import { en } from './catalogue/en.ts';
import { type Html, type HtmlValue, html } from './html.ts';

/** A catalogue entry: one text, or one per plural category of its `count` (CLDR categories, through Intl). */
export type Message = string | { readonly one: string; readonly other: string };
export type MessageKey = keyof typeof en;
export type Catalogue = Readonly<Record<MessageKey, Message>>;

/** Shipped languages, and two pseudo-languages for tests: longer accented text, and the same right to left. */
export type Locale = 'en' | 'en-XA' | 'ar-XB';

const PLACE = /\{([a-z][A-Za-z]*)\}/g;

const ACCENTED: Readonly<Record<string, string>> = {
  a: 'á',
  e: 'ë',
  i: 'í',
  o: 'ö',
  u: 'ü',
  y: 'ÿ',
  A: 'Á',
  E: 'Ë',
  I: 'Í',
  O: 'Ö',
  U: 'Ü',
};

type Language = { name: string; dir: 'ltr' | 'rtl'; plural: string; catalogue: Catalogue };

const languages: Readonly<Record<Locale, Language>> = {
  en: { name: 'English', dir: 'ltr', plural: 'en', catalogue: en },
  'en-XA': { name: 'Pseudo', dir: 'ltr', plural: 'en', catalogue: pseudo(en) },
  'ar-XB': { name: 'Pseudo RTL', dir: 'rtl', plural: 'en', catalogue: pseudo(en) },
};

/** What people can choose. The pseudo-languages are never negotiated. */
export const shippedLocales: readonly Locale[] = ['en'];

/** Writing direction of a language, for `dir`. */
export function direction(locale: Locale): 'ltr' | 'rtl' {
  return languages[locale].dir;
}

/** A language's name in itself, for the picker. */
export function languageName(locale: Locale): string {
  return languages[locale].name;
}

/**
 * The text of a key with its values put in, as plain text.
 *
 * @throws {RangeError} the text names a value that was not given
 */
export function t(
  locale: Locale,
  key: MessageKey,
  values: Readonly<Record<string, string | number>> = {},
): string {
  return text(locale, key, values['count']).replace(PLACE, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw missing(key, name);
    return typeof value === 'number' ? value.toLocaleString(languages[locale].plural) : value;
  });
}

/**
 * As `t`, for text with emphasis: `**…**` in the catalogue is strong, and values may be markup.
 *
 * @throws {RangeError} the text names a value that was not given
 */
export function rich(
  locale: Locale,
  key: MessageKey,
  values: Readonly<Record<string, HtmlValue>> = {},
): Html {
  const count = values['count'];
  const parts = text(locale, key, typeof count === 'number' ? count : undefined).split('**');
  const fill = (part: string): Html => {
    const pieces = part.split(PLACE).map((piece, index) => {
      if (index % 2 === 0) return html`${piece}`;
      if (!(piece in values)) throw missing(key, piece);
      return html`${values[piece]}`;
    });
    return html`${pieces}`;
  };
  return html`${parts.map((part, index) => (index % 2 === 0 ? fill(part) : html`<strong>${fill(part)}</strong>`))}`;
}

/**
 * Chooses the language: `ui_locales` (OpenID Connect Core §3.1.2.1), then what the person picked before,
 * then `Accept-Language` (RFC 9110 §12.5.4), then the environment's default.
 */
export function negotiateLocale(wishes: {
  uiLocales?: string | undefined;
  cookie?: string | undefined;
  acceptLanguage?: string | undefined;
  fallback?: Locale | undefined;
}): Locale {
  const tags = [
    ...(wishes.uiLocales?.slice(0, 200).split(' ') ?? []),
    ...(wishes.cookie === undefined ? [] : [wishes.cookie]),
    ...acceptedLanguages(wishes.acceptLanguage),
  ];
  for (const tag of tags) {
    const found = match(tag);
    if (found !== undefined) return found;
  }
  return wishes.fallback ?? 'en';
}

function match(tag: string): Locale | undefined {
  const wanted = tag.trim().toLowerCase();
  const exact = shippedLocales.find((locale) => locale.toLowerCase() === wanted);
  return exact ?? shippedLocales.find((locale) => locale.toLowerCase() === wanted.split('-')[0]);
}

function acceptedLanguages(header: string | undefined): string[] {
  const ranges = (header ?? '')
    .slice(0, 500)
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim());
      const quality = parameters.find((part) => part.startsWith('q='));
      return { tag, quality: quality === undefined ? 1 : Number(quality.slice(2)) };
    });
  return ranges
    .filter((range) => range.quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map((range) => range.tag);
}

function text(locale: Locale, key: MessageKey, count: string | number | undefined): string {
  const message: Message = languages[locale].catalogue[key];
  if (typeof message === 'string') return message;
  if (typeof count !== 'number') throw missing(key, 'count');
  return new Intl.PluralRules(languages[locale].plural).select(count) === 'one'
    ? message.one
    : message.other;
}

function missing(key: string, name: string): RangeError {
  return new RangeError(`the text ${key} needs a value for {${name}}`);
}

/** Accents every letter and lengthens the text by a third, so that forgotten texts and tight layouts show. */
function pseudo(catalogue: Catalogue): Catalogue {
  const accent = (text: string): string => {
    const accented = text
      .split(PLACE)
      .map((part, index) =>
        index % 2 === 1
          ? `{${part}}`
          : part.replace(/[aeiouyAEIOU]/g, (letter) => ACCENTED[letter] ?? letter),
      )
      .join('');
    return `${accented} ${'~'.repeat(Math.ceil(text.length / 3))}`;
  };
  const entries = Object.entries(catalogue).map(([key, message]: [string, Message]) => [
    key,
    typeof message === 'string'
      ? accent(message)
      : { one: accent(message.one), other: accent(message.other) },
  ]);
  return Object.fromEntries(entries) as Catalogue; // the same keys as the catalogue it was made from
}
