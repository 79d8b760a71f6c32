export type StrictJson =
  | { readonly kind: 'ok'; readonly value: unknown }
  | { readonly kind: 'syntax' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'depth' };

const depthLimit = 128;

/**
 * Parses JSON and refuses what two parsers may read differently: a member name twice in one object
 * (RFC 8259 §4 leaves the meaning open), a byte order mark, and nesting deeper than 128.
 */
export function parseStrictJson(text: string): StrictJson {
  try {
    const value: unknown = JSON.parse(text);
    const fault = inspect(text);
    return fault ? { kind: fault } : { kind: 'ok', value };
  } catch {
    return { kind: 'syntax' };
  }
}

/** Walks a text that is known to be valid JSON. */
function inspect(text: string): 'duplicate' | 'depth' | undefined {
  const open: (Set<string> | undefined)[] = []; // names seen in each open object; undefined for an array
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : undefined);
      if (open.length > depthLimit) return 'depth';
    } else if (char === '}' || char === ']') {
      open.pop();
    } else if (char === '"') {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (names && isFollowedByColon(text, end)) {
        const name: unknown = JSON.parse(text.slice(at, end + 1));
        if (typeof name !== 'string' || names.has(name)) return 'duplicate';
        names.add(name);
      }
      at = end;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes += 1;
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
