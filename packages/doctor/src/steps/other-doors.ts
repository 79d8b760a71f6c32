import type { Examination } from '../examination.ts';
import { type Answer, evidenceOf, type Request } from '../http.ts';
import {
  initializeCall,
  isCarriedOut,
  isEventStream,
  rpcMessage,
  speaksOfAuthorization,
} from '../mcp-request.ts';
import type { Gate } from './challenge.ts';

/** How long a GET may take until it has headers; a stream sends them at once. In milliseconds. */
const GET_MS = 3_000;

/** Other methods and other spellings of the path that lead to the same MCP server. Only asked where POST is refused. */
export async function examineOtherDoors(examination: Examination, gate: Gate): Promise<void> {
  // Where the first request is carried out for everybody, another way to it is none.
  if (isCarriedOut(gate.endpoint.answer)) return;
  if (!gate.endpoint.legacy) {
    await examineGet(examination, gate);
    await examineDelete(examination, gate);
  }
  await examineBypass(examination, gate);
}

async function examineGet(examination: Examination, { endpoint }: Gate): Promise<void> {
  const answer = await examination.send({
    method: 'GET',
    url: endpoint.url,
    headers: { accept: 'text/event-stream', 'mcp-protocol-version': '2025-11-25' },
    timeoutMs: GET_MS,
  });
  if (answer.kind === 'failed') {
    if (answer.reason === 'timeout')
      examination.find('get-hangs', {
        message: `GET was not answered within ${GET_MS / 1000} seconds.`,
        evidence: `GET ${endpoint.url}: ${answer.detail}`,
      });
    return;
  }
  if (isLetThrough(answer))
    examination.find('unprotected-get', {
      message: `GET without a token is answered with ${answer.status} by the MCP server itself.`,
      evidence: answer,
      headers: ['content-type'],
    });
}

/** A session id that nobody has: nothing can end. */
async function examineDelete(examination: Examination, { endpoint }: Gate): Promise<void> {
  const bytes = Buffer.from(examination.random(16)).toString('hex');
  const answer = await examination.send({
    method: 'DELETE',
    url: endpoint.url,
    headers: { 'mcp-session-id': `doctor-${bytes}`, 'mcp-protocol-version': '2025-11-25' },
  });
  if (answer.kind === 'failed') return;
  const isDone = [200, 202, 204].includes(answer.status) && !speaksOfAuthorization(answer);
  if (isDone || isLetThrough(answer))
    examination.find('unprotected-delete', {
      message: `DELETE without a token is answered with ${answer.status} by the MCP server itself.`,
      evidence: answer,
    });
}

/** Whether the transport answered: a stream, or JSON-RPC about sessions. 405 is no door at all. */
function isLetThrough(answer: Answer): boolean {
  if (answer.status === 200 && isEventStream(answer)) return true;
  if (![200, 202, 400, 404].includes(answer.status)) return false;
  const message = rpcMessage(answer);
  if (message) return !speaksOfAuthorization(answer);
  return answer.status === 400 && /session/i.test(answer.text) && !speaksOfAuthorization(answer);
}

async function examineBypass(examination: Examination, { endpoint }: Gate): Promise<void> {
  const { pathname } = new URL(endpoint.url);
  const path = pathname === '/' ? '' : pathname.replace(/\/$/, '');
  const corpus = [
    `${path}/.well-known/x`,
    `${path}/.well-known/oauth-protected-resource`,
    `/.well-known/..${path}`,
    `/.well-known/%2e%2e${path}`,
    `/.well-known/..;${path}`,
    `${path || '/'}?next=/.well-known/oauth-protected-resource`,
  ];
  for (const rawPath of corpus) {
    const request: Request = { ...initializeCall(endpoint.url), rawPath };
    const answer = await examination.send(request);
    if (answer.kind === 'failed') continue;
    const passed =
      isCarriedOut(answer) ||
      (answer.status < 500 &&
        rpcMessage(answer) !== undefined &&
        !speaksOfAuthorization(answer) &&
        answer.status !== 404);
    if (!passed) continue;
    examination.find('well-known-bypass', {
      message: `A POST to ${rawPath} reaches MCP without a token.`,
      evidence: `${evidenceOf(answer)} for the path ${rawPath}`,
      url: new URL(endpoint.url).origin + rawPath,
    });
    return;
  }
}
