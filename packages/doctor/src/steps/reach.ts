import { isInsecure } from '../document.ts';
import type { Examination } from '../examination.ts';
import { ExamineError } from '../examine-error.ts';
import { type Answer, type Failure, header, type Outcome, type Request } from '../http.ts';
import { initializeCall, isEventStream, rpcMessage } from '../mcp-request.ts';

/** The endpoint as it answers. */
export type Endpoint = {
  /** After redirects. */
  readonly url: string;
  /** To a first request without a token. */
  readonly answer: Answer;
  /** A request as clients send it first, with these headers. */
  readonly probe: (headers?: Readonly<Record<string, string | undefined>>) => Request;
  /** It speaks HTTP with SSE of revision 2024-11-05: a GET stream and a second address. */
  readonly legacy: boolean;
};

export type Reached =
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }
  /** Findings say why. */
  | { readonly kind: 'stopped' }
  /** Nothing answers: no finding. */
  | { readonly kind: 'unreachable'; readonly reason: string };

const MOST_REDIRECTS = 3;

/**
 * Gets a first answer from the endpoint.
 *
 * @throws {ExamineError} the target is at a private address and nobody allowed that
 */
export async function reach(examination: Examination): Promise<Reached> {
  examination.begin('reach');
  const { target } = examination;
  if (target.protocol === 'http:' && !examination.targetIsLoopback)
    examination.find('insecure-http', {
      message: `${target.origin} is not encrypted: whoever is on the way reads the tokens.`,
      evidence: target.href,
    });
  const first = await followed(examination, initializeCall(target.href));
  if (first === 'loop') return { kind: 'stopped' };
  if (first.kind === 'failed') return notReached(examination, first);
  if (first.status === 429)
    return { kind: 'unreachable', reason: 'it answers 429, too many requests; try again later' };
  if (isInsecure(new URL(first.url)) && target.protocol === 'https:')
    examination.find('insecure-http', {
      message: `The address redirects to ${first.url}, which is not encrypted.`,
      evidence: `POST ${target.href} redirects to ${first.url}`,
    });
  if (first.url !== target.href)
    examination.note('reach', `The address redirects to ${first.url}; give clients that one.`);
  if (first.status >= 500) {
    examination.find('server-error', {
      message: `A first request without a token is answered with ${first.status}.`,
      evidence: first,
    });
    return { kind: 'stopped' };
  }
  return await recognized(examination, first);
}

function notReached(examination: Examination, failure: Failure): Reached {
  if (failure.reason === 'blocked-address')
    throw new ExamineError(`${failure.detail}; add --allow-private if you mean it`);
  if (failure.reason === 'tls') {
    examination.find('tls-invalid', {
      message: `No TLS connection that can be trusted: ${failure.detail}.`,
      evidence: failure,
    });
    return { kind: 'stopped' };
  }
  if (failure.reason === 'protocol') {
    examination.find('server-error', {
      message: `The answer cannot be read: ${failure.detail}.`,
      evidence: failure,
    });
    return { kind: 'stopped' };
  }
  return { kind: 'unreachable', reason: failure.detail };
}

/** Follows redirects by hand; each hop goes through the same check of its address. */
async function followed(examination: Examination, request: Request): Promise<Outcome | 'loop'> {
  const seen: string[] = [];
  let first: Answer | undefined;
  let current = request;
  for (;;) {
    const answer = await examination.send(current);
    if (answer.kind === 'failed' && seen.length > 0 && answer.reason === 'blocked-address') {
      examination.find('redirect-loop', {
        message: 'The endpoint redirects to an address that is not public.',
        evidence: `${seen.at(-1)} redirects to ${answer.url}`,
      });
      return 'loop';
    }
    if (answer.kind === 'failed') return answer;
    const location = header(answer, 'location');
    if (answer.status < 300 || answer.status > 399 || location === undefined)
      // A page at the end, such as one to sign in: the redirect itself is what a client was told.
      return first && answer.status < 300 && isPage(answer) ? first : answer;
    first ??= answer;
    const next = URL.canParse(location, current.url)
      ? new URL(location, current.url).href
      : undefined;
    seen.push(current.url);
    if (next === undefined || seen.includes(next) || seen.length > MOST_REDIRECTS) {
      examination.find('redirect-loop', {
        message: `The address redirects ${seen.length} times and leads nowhere.`,
        evidence: [...seen, location].join(' → '),
      });
      return 'loop';
    }
    // 307 and 308 keep the method; after the others clients go on with GET, which is what they would see.
    current =
      answer.status === 307 || answer.status === 308
        ? { ...request, url: next }
        : { method: 'GET', url: next, headers: { accept: 'application/json, text/event-stream' } };
  }
}

/** Tells an MCP endpoint from anything else that answers. */
async function recognized(examination: Examination, first: Answer): Promise<Reached> {
  const probe: Endpoint['probe'] = (headers) => initializeCall(first.url, headers);
  const found: Reached = {
    kind: 'endpoint',
    endpoint: { url: first.url, answer: first, probe, legacy: false },
  };
  const isMissing = [404, 405, 410, 501].includes(first.status);
  if (!isMissing && !(isPage(first) && first.status < 300)) return found;
  if (isMissing && rpcMessage(first)) return found;
  const legacyProbe: Endpoint['probe'] = (headers) => ({
    method: 'GET',
    url: first.url,
    headers: { accept: 'text/event-stream', ...headers },
  });
  const stream = isMissing ? await examination.send(legacyProbe()) : undefined;
  if (stream?.kind === 'answer' && (isLegacyStream(stream) || stream.status === 401)) {
    examination.note(
      'reach',
      'It does not take POST: this looks like the older transport (HTTP with SSE, revision 2024-11-05). Offer Streamable HTTP; new clients speak nothing else.',
    );
    return {
      kind: 'endpoint',
      endpoint: { url: first.url, answer: stream, probe: legacyProbe, legacy: true },
    };
  }
  examination.find('endpoint-not-found', {
    message: isPage(first)
      ? `A POST request is answered with a web page (${first.status}).`
      : `A POST request is answered with ${first.status}.`,
    evidence: first,
    headers: ['content-type', 'allow'],
  });
  return { kind: 'stopped' };
}

function isPage(answer: Answer): boolean {
  return /^text\/html\b/i.test(header(answer, 'content-type') ?? '');
}

function isLegacyStream(answer: Answer): boolean {
  return answer.status === 200 && isEventStream(answer) && /^event: *endpoint/m.test(answer.text);
}
