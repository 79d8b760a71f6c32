const MOST = 300;

/**
 * Text of a stranger, fit for a terminal and a log: control characters (a terminal would obey them), line breaks and
 * characters that reorder or hide others become `?`, and the rest is cut.
 */
export function printable(text: string, most: number = MOST): string {
  const clean = text
    .replace(/[\t\r\n]+/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, '?');
  return clean.length > most ? `${clean.slice(0, most)}…` : clean;
}

/** A value of a JSON document, shown as JSON. */
export function shown(value: unknown, most: number = MOST): string {
  return printable(JSON.stringify(value) ?? 'absent', most);
}
