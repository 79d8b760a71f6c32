export type StrictJson =
  | { readonly kind: 'ok'; readonly value: unknown }
  | { readonly kind: 'syntax' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'depth' };

const depthLimit = 128;
/** Up to here even brackets alone are parsed in milliseconds; 4 MiB of them would take seconds. */
const harmlessLength = 16_384;

/**
 * Parses JSON and refuses what two parsers may read differently: a member name twice in one object
 * (RFC 8259 §4 leaves the meaning open), a byte order mark, and nesting deeper than 128.
 */
export function parseStrictJson(text: string): StrictJson {
  if (text.length > harmlessLength && isDeep(text)) return { kind: 'depth' };
  try {
    const value: unknown = JSON.parse(text);
    const fault = inspect(text);
    return fault ? { kind: fault } : { kind: 'ok', value };
  } catch {
    return { kind: 'syntax' };
  }
}

const [OBJECT, OBJECT_END, ARRAY, ARRAY_END, QUOTE, BACKSLASH] = [123, 125, 91, 93, 34, 92];

/** What a member name says; two spellings of one name are the same name. */
function nameOf(written: string): string | undefined {
  if (!written.includes('\\')) return written;
  const name: unknown = JSON.parse(`"${written}"`);
  return typeof name === 'string' ? name : undefined;
}

/** Walks a text that is known to be valid JSON. */
function inspect(text: string): 'duplicate' | 'depth' | undefined {
  const open: (Set<string> | undefined)[] = []; // names seen in each open object; undefined for an array
  for (let at = 0; at < text.length; at += 1) {
    // Character codes, because every request passes here.
    const code = text.charCodeAt(at);
    if (code === OBJECT || code === ARRAY) {
      open.push(code === OBJECT ? new Set() : undefined);
      if (open.length > depthLimit) return 'depth';
    } else if (code === OBJECT_END || code === ARRAY_END) {
      open.pop();
    } else if (code === QUOTE) {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (names && isFollowedByColon(text, end)) {
        const name = nameOf(text.slice(at + 1, end));
        if (name === undefined || names.has(name)) return 'duplicate';
        names.add(name);
      }
      at = end;
    }
  }
  return undefined;
}

/** Whether a text, valid or not, is nested too deeply. */
function isDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === OBJECT || code === ARRAY) {
      depth += 1;
      if (depth > depthLimit) return true;
    } else if (code === OBJECT_END || code === ARRAY_END) {
      depth -= 1;
    } else if (code === QUOTE) {
      at = endOfString(text, at);
      if (at < 0) return false; // a string without an end is no JSON
    }
  }
  return false;
}

/** Of a string that begins at `start`: where its last quote is, or -1. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    if (end < 0) return end;
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}

function isFollowedByColon(text: string, end: number): boolean {
  let at = end + 1;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return text[at] === ':';
}

/** A JSON object, not an array and not null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
