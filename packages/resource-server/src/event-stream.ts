import type { BodyRewriter } from './request.ts';

/** An empty line ends an event; lines end with CR, LF or both (HTML, server-sent events). */
const eventEnd = /\r\n(?:\r\n?|\n)|\n(?:\r\n?|\n)|\r\r\n?/;

/**
 * Rewrites the data of server-sent events, one event at a time; everything but a change goes out as it came.
 * An event whose data `rewrite` cannot read (undefined) is left out. So is all that follows an event above
 * the limit.
 */
export function rewriteEvents(
  rewrite: (data: string) => 'same' | { changed: string } | undefined,
  unreadable: () => void,
  limitBytes: number,
): BodyRewriter {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let waiting = '';
  let begun = false;
  let given = false;
  const take = (text: string): string => {
    if (given) return '';
    waiting += text;
    // Each reader on the way may take away one, so that what one calls no data is data to the next.
    if (!begun) waiting = waiting.replace(/^\uFEFF+/, '');
    begun ||= waiting !== '';
    let out = '';
    // Looked for from where it can first be, so that an event in many pieces is not searched again and again.
    let from = Math.max(waiting.length - text.length - 3, 0);
    for (;;) {
      const found = eventEnd.exec(waiting.slice(from));
      if (!found) break;
      const end = from + found.index + found[0].length;
      out += rewriteEvent(waiting.slice(0, end), rewrite, unreadable);
      waiting = waiting.slice(end);
      from = 0;
    }
    if (waiting.length > limitBytes) {
      given = true;
      waiting = '';
      unreadable();
    }
    return out;
  };
  return {
    kind: 'stream',
    push: (chunk) => encoder.encode(take(decoder.decode(chunk, { stream: true }))),
    flush() {
      const rest = take(decoder.decode());
      const last = waiting === '' ? '' : rewriteEvent(waiting, rewrite, unreadable);
      return encoder.encode(rest + last);
    },
  };
}

function rewriteEvent(
  event: string,
  rewrite: (data: string) => 'same' | { changed: string } | undefined,
  unreadable: () => void,
): string {
  const lines = event.split(/\r\n|\n|\r/).filter((line) => line !== '');
  const values = (field: string): string[] =>
    lines
      .filter((line) => line === field || line.startsWith(`${field}:`))
      .map((line) => line.slice(field.length + 1).replace(/^ /, ''));
  const data = values('data').join('\n');
  const type = values('event').at(-1) ?? '';
  // Clients read messages from events of type message only; the older transport sends an address as another.
  if (data === '' || (type !== '' && type !== 'message')) return event;
  const result = rewrite(data);
  if (result === 'same') return event;
  if (result === undefined) {
    unreadable();
    return '';
  }
  const others = lines.filter((line) => line !== 'data' && !line.startsWith('data:'));
  return `${[...others, `data: ${result.changed}`].join('\n')}\n\n`;
}
