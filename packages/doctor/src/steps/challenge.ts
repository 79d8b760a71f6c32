import { type Challenge, parseChallenges, tokenChallenge } from '../challenge-header.ts';
import type { Examination } from '../examination.ts';
import { type Answer, header } from '../http.ts';
import {
  isCarriedOut,
  isEventStream,
  mcpCall,
  rpcMessage,
  speaksOfAuthorization,
  statelessCall,
} from '../mcp-request.ts';
import { printable } from '../printable.ts';
import type { Endpoint } from './reach.ts';

/** What callers without a token are told. */
export type Gate = {
  readonly endpoint: Endpoint;
  /** A request that is refused without a token; undefined when nothing is. */
  readonly probe: Endpoint['probe'] | undefined;
  /** The refusal. */
  readonly refusal: Answer | undefined;
  readonly challenge: Challenge | undefined;
  /** Absolute address of the metadata in the challenge. */
  readonly metadataUrl: string | undefined;
  readonly scopes: readonly string[];
};

/** What is asked for without a token, and how the server says that one is needed. */
export async function examineChallenge(
  examination: Examination,
  endpoint: Endpoint,
): Promise<Gate> {
  examination.begin('challenge');
  const { answer } = endpoint;
  if (answer.status >= 200 && answer.status < 300)
    return await answeredWithoutToken(examination, endpoint);
  const way = endpoint.legacy ? undefined : await wayAround(examination, endpoint);
  if (way) {
    examination.find('open-endpoint', {
      message: 'initialize needs a token, and other requests are answered without one.',
      evidence: way,
    });
    return open(endpoint);
  }
  return refusedWithoutToken(examination, endpoint, endpoint.probe, answer);
}

/** Clients of revision 2026-07-28 never send initialize, and strangers need not either. */
async function wayAround(examination: Examination, { url }: Endpoint): Promise<Answer | undefined> {
  for (const request of [mcpCall(url, 'tools/list', {}), statelessCall(url, 'tools/list')]) {
    const answer = await examination.send(request);
    if (answer.kind === 'answer' && isCarriedOut(answer)) return answer;
  }
  return undefined;
}

const open = (endpoint: Endpoint): Gate => ({
  endpoint,
  probe: undefined,
  refusal: undefined,
  challenge: undefined,
  metadataUrl: undefined,
  scopes: [],
});

/** 2xx: a server that is open, or one that says no in the body, or one that asks for a token only later. */
async function answeredWithoutToken(examination: Examination, endpoint: Endpoint): Promise<Gate> {
  const { answer } = endpoint;
  if (!isCarriedOut(answer) && !(endpoint.legacy && isEventStream(answer))) {
    if (speaksOfAuthorization(answer))
      return saidInBody(examination, endpoint, answer, endpoint.probe);
    return await answeredStateless(examination, endpoint);
  }
  const session = header(answer, 'mcp-session-id');
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  const listing = (more?: Readonly<Record<string, string | undefined>>) =>
    mcpCall(endpoint.url, 'tools/list', {}, { ...headers, ...more });
  const listed = endpoint.legacy ? undefined : await examination.send(listing());
  if (listed?.kind === 'answer' && listed.status === 401) {
    examination.find('open-endpoint', {
      severity: 'warning',
      message: 'initialize is answered without a token; the token is asked for from tools/list on.',
      evidence: answer,
    });
    return refusedWithoutToken(examination, endpoint, listing, listed);
  }
  if (listed?.kind === 'answer' && !isCarriedOut(listed) && speaksOfAuthorization(listed))
    return saidInBody(examination, endpoint, listed, listing);
  // A tool that cannot exist: nothing is carried out, and a server that guards its tools says so here.
  const tooling = (more?: Readonly<Record<string, string | undefined>>) =>
    mcpCall(
      endpoint.url,
      'tools/call',
      { name: 'gatewarden_doctor_no_such_tool', arguments: {} },
      { ...headers, ...more },
    );
  const called = endpoint.legacy ? undefined : await examination.send(tooling());
  if (called?.kind === 'answer' && called.status < 300 && speaksOfAuthorization(called))
    return saidInBody(examination, endpoint, called, tooling);
  examination.find('open-endpoint', {
    message: 'initialize and tools/list are answered to a caller without a token.',
    evidence: listed ?? answer,
  });
  return open(endpoint);
}

/** A JSON-RPC error to initialize: perhaps a server that only knows revision 2026-07-28. */
async function answeredStateless(examination: Examination, endpoint: Endpoint): Promise<Gate> {
  const discover = (headers?: Readonly<Record<string, string | undefined>>) =>
    statelessCall(endpoint.url, 'server/discover', {}, headers);
  const answer = await examination.send(discover());
  if (answer.kind === 'failed' || answer.status >= 300) {
    if (answer.kind === 'answer' && answer.status < 500)
      return refusedWithoutToken(examination, endpoint, discover, answer);
    return open(endpoint);
  }
  if (!isCarriedOut(answer) && speaksOfAuthorization(answer))
    return saidInBody(examination, endpoint, answer, discover);
  examination.find('open-endpoint', {
    message: isCarriedOut(answer)
      ? 'server/discover is answered to a caller without a token.'
      : 'A request without a token reaches MCP and is answered there.',
    evidence: answer,
  });
  return open(endpoint);
}

function saidInBody(
  examination: Examination,
  endpoint: Endpoint,
  answer: Answer,
  probe: Endpoint['probe'],
): Gate {
  examination.find('unauthorized-as-200', {
    message: `Without a token the status is ${answer.status}, and the refusal stands in the body: ${printable(answer.text, 160)}`,
    evidence: answer,
    headers: ['content-type'],
  });
  return gateOf(endpoint, probe, answer);
}

function refusedWithoutToken(
  examination: Examination,
  endpoint: Endpoint,
  probe: Endpoint['probe'],
  answer: Answer,
): Gate {
  if (answer.status === 403) {
    examination.find('unauthorized-as-403', {
      message: 'A request without a token is answered with 403 instead of 401.',
      evidence: answer,
      headers: ['www-authenticate', 'server'],
    });
    return gateOf(endpoint, probe, answer);
  }
  if (answer.status !== 401) {
    if (reachedTransport(answer)) {
      examination.find('open-endpoint', {
        message: `A request without a token reaches MCP, which answers ${answer.status}.`,
        evidence: answer,
      });
      return open(endpoint);
    }
    examination.find('challenge-missing', {
      message: `A request without a token is answered with ${answer.status} instead of 401.`,
      evidence: answer,
      headers: ['www-authenticate', 'content-type'],
    });
    return gateOf(endpoint, probe, answer);
  }
  checkChallenge(examination, answer);
  return gateOf(endpoint, probe, answer);
}

/** A JSON-RPC error that is not about authorization: the request went past the check. */
function reachedTransport(answer: Answer): boolean {
  return rpcMessage(answer) !== undefined && !speaksOfAuthorization(answer);
}

const SHOWN = ['www-authenticate'];

function checkChallenge(examination: Examination, answer: Answer): void {
  const text = header(answer, 'www-authenticate');
  if (text === undefined) {
    examination.find('challenge-missing', {
      message: 'The 401 has no WWW-Authenticate header.',
      evidence: answer,
    });
    return;
  }
  const { challenges, problem } = parseChallenges(text);
  const ours = tokenChallenge(challenges);
  if (problem !== undefined) {
    examination.find('challenge-malformed', {
      message: `WWW-Authenticate cannot be parsed: ${problem}.`,
      evidence: answer,
      headers: SHOWN,
    });
    return;
  }
  if (!ours) {
    examination.find('challenge-not-bearer', {
      message: `The challenge is ${challenges.map(({ scheme }) => scheme).join(', ') || 'empty'}.`,
      evidence: answer,
      headers: SHOWN,
    });
    return;
  }
  checkMetadataParameter(examination, answer, ours);
  const error = ours.parameters.get('error');
  if (error !== undefined)
    examination.find('error-without-token', {
      message: `No token was sent, and the challenge says error="${error}".`,
      evidence: answer,
      headers: SHOWN,
    });
}

function checkMetadataParameter(
  examination: Examination,
  answer: Answer,
  challenge: Challenge,
): void {
  const address = challenge.parameters.get('resource_metadata');
  if (address === undefined)
    examination.find('resource-metadata-missing', {
      message: 'The challenge has no resource_metadata.',
      evidence: answer,
      headers: SHOWN,
    });
  else if (!isWebAddress(address))
    examination.find('resource-metadata-relative', {
      message: `resource_metadata is "${address}", which is no absolute http address.`,
      evidence: answer,
      headers: SHOWN,
    });
}

function gateOf(endpoint: Endpoint, probe: Endpoint['probe'], refusal: Answer): Gate {
  const { challenges } = parseChallenges(header(refusal, 'www-authenticate') ?? '');
  const challenge = tokenChallenge(challenges);
  const address = challenge?.parameters.get('resource_metadata');
  return {
    endpoint,
    probe,
    refusal,
    challenge,
    metadataUrl: address !== undefined && isWebAddress(address) ? address : undefined,
    scopes: (challenge?.parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== ''),
  };
}

function isWebAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}
