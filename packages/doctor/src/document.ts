import type { Examination } from './examination.ts';
import { type Answer, header, jsonOf, type Outcome, objectOf } from './http.ts';

/** What a metadata address gives. */
export type Document =
  | {
      readonly kind: 'document';
      readonly url: string;
      readonly members: Readonly<Record<string, unknown>>;
      readonly answer: Answer;
    }
  | {
      /** `unreachable` covers a failing server too. */
      readonly kind: 'missing' | 'needs-token' | 'not-json' | 'unreachable';
      readonly url: string;
      readonly answer: Outcome;
    };

const MOST_REDIRECTS = 3;
/** Sent by clients with each request, the discovery included. */
const HEADERS = { accept: 'application/json', 'mcp-protocol-version': '2025-11-25' };

/** Reads a public JSON document, redirects followed by hand and each address checked. */
export async function readDocument(examination: Examination, url: string): Promise<Document> {
  const answer = await get(examination, url);
  if (answer.kind === 'failed' || answer.status >= 500) return { kind: 'unreachable', url, answer };
  if (answer.status === 401 || answer.status === 403) return { kind: 'needs-token', url, answer };
  if (answer.status !== 200) return { kind: 'missing', url, answer };
  const members = objectOf(jsonOf(answer));
  if (!members || !/^application\/(?:[\w.-]+\+)?json\b/i.test(header(answer, 'content-type') ?? ''))
    return { kind: 'not-json', url, answer };
  return { kind: 'document', url, members, answer };
}

async function get(examination: Examination, url: string): Promise<Outcome> {
  let current = url;
  for (let hops = 0; ; hops += 1) {
    const answer = await examination.send({ method: 'GET', url: current, headers: HEADERS });
    if (answer.kind === 'failed' || answer.status < 300 || answer.status > 399) return answer;
    const location = header(answer, 'location');
    if (location === undefined || !URL.canParse(location, current) || hops === MOST_REDIRECTS)
      return answer;
    current = new URL(location, current).href;
  }
}

/** Whether an address is http where only https will do: anywhere but on loopback. */
export function isInsecure(url: URL): boolean {
  if (url.protocol !== 'http:') return false;
  return !/^(?:localhost|(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
}
