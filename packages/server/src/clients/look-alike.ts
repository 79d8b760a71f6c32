import { WELL_KNOWN_CLIENTS, type WellKnownClient } from '../oauth/well-known-clients.ts';

/** Letters of other scripts, digits and signs that are read as a Latin letter. After lower case and NFKD. */
const CONFUSABLE: Readonly<Record<string, string>> = {
  // Cyrillic
  а: 'a',
  в: 'b',
  е: 'e',
  ё: 'e',
  з: 'e',
  и: 'u',
  і: 'l',
  ї: 'l',
  ј: 'j',
  к: 'k',
  м: 'm',
  н: 'h',
  о: 'o',
  п: 'n',
  р: 'p',
  с: 'c',
  т: 't',
  у: 'y',
  х: 'x',
  ѕ: 's',
  ԁ: 'd',
  ԛ: 'q',
  ԝ: 'w',
  ь: 'b',
  г: 'r',
  ӏ: 'l',
  ҁ: 'c',
  һ: 'h',
  ѵ: 'v',
  ց: 'g',
  // Greek
  α: 'a',
  β: 'b',
  γ: 'y',
  ε: 'e',
  η: 'n',
  ι: 'l',
  κ: 'k',
  ν: 'v',
  ο: 'o',
  π: 'n',
  ρ: 'p',
  ς: 's',
  σ: 'o',
  τ: 't',
  υ: 'u',
  χ: 'x',
  ω: 'w',
  ϲ: 'c',
  // Armenian, Cherokee and Latin letters that NFKD leaves alone
  օ: 'o',
  ս: 'u',
  ո: 'n',
  հ: 'h',
  ա: 'w',
  ꭺ: 'a',
  ɑ: 'a',
  ɐ: 'a',
  ƅ: 'b',
  ɕ: 'c',
  ƈ: 'c',
  ɖ: 'd',
  đ: 'd',
  ɗ: 'd',
  ə: 'e',
  ɇ: 'e',
  ɡ: 'g',
  ɢ: 'g',
  ħ: 'h',
  ı: 'l',
  ɩ: 'l',
  ɪ: 'l',
  ǀ: 'l',
  ł: 'l',
  ɭ: 'l',
  ʟ: 'l',
  ɱ: 'm',
  ɲ: 'n',
  ŋ: 'n',
  ɴ: 'n',
  ø: 'o',
  ɵ: 'o',
  ᴏ: 'o',
  ᴄ: 'c',
  ᴜ: 'u',
  ʋ: 'u',
  ʀ: 'r',
  ɾ: 'r',
  ꜱ: 's',
  ʂ: 's',
  ŧ: 't',
  ᴛ: 't',
  ᴅ: 'd',
  ᴇ: 'e',
  ᴀ: 'a',
  ᴠ: 'v',
  ᴡ: 'w',
  ᴢ: 'z',
  ʏ: 'y',
  æ: 'ae',
  œ: 'oe',
  ß: 'ss',
  // Digits and signs
  '0': 'o',
  '1': 'l',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '9': 'g',
  $: 's',
  '@': 'a',
  '|': 'l',
  '!': 'l',
  // Two Latin letters that are one stroke apart
  i: 'l',
};

/** What is one edit away from a name of at least this many letters still reads as it. */
const SHORTEST_FUZZY = 6;

type Pattern = { readonly client: WellKnownClient; readonly words: readonly string[] };

const PATTERNS: readonly Pattern[] = WELL_KNOWN_CLIENTS.filter(
  (client) => client.redirectHosts.length + client.documentHosts.length > 0,
).flatMap((client) =>
  [client.name, ...client.aliases].map((name) => ({ client, words: words(name) })),
);

/**
 * The well-known clients whose name a name resembles: equal in words, alone or among others, or nearly equal as a whole, after
 * letters that look alike were made alike. Only clients with a host of their own, because only those can be told from others.
 */
export function resembled(name: string): readonly WellKnownClient[] {
  const own = words(name);
  const joined = own.join('');
  const found = PATTERNS.filter(({ words: known }) => {
    const whole = known.join('');
    return (
      containsInOrder(own, known) ||
      joined === whole ||
      own.includes(whole) ||
      (whole.length >= SHORTEST_FUZZY && isOneEditAway(joined, whole))
    );
  });
  return [...new Set(found.map(({ client }) => client))];
}

/** The name as it looks: words, without case, marks, script and separators. */
function words(name: string): string[] {
  return name
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .split(/[^\p{L}\p{N}$@|!]+/u)
    .map(skeleton)
    .filter((word) => word !== '');
}

function skeleton(word: string): string {
  const letters = Array.from(word, (letter) => CONFUSABLE[letter] ?? letter).join('');
  return letters.replaceAll('rn', 'm').replaceAll('vv', 'w');
}

function containsInOrder(own: readonly string[], known: readonly string[]): boolean {
  return own.some((_, start) => known.every((word, index) => own[start + index] === word));
}

/** One letter more, less or other, or two neighbours exchanged. */
function isOneEditAway(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  )
    end += 1;
  const [restA, restB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (restA.length <= 1 && restB.length <= 1) return true;
  return restA.length === 2 && restB.length === 2 && restA[0] === restB[1] && restA[1] === restB[0];
}
