import { parseChallenges, tokenChallenge } from '../challenge-header.ts';
import type { Examination } from '../examination.ts';
import { type Answer, type FailureReason, header } from '../http.ts';
import { isCarriedOut, isEventStream } from '../mcp-request.ts';
import type { Gate } from './challenge.ts';

const SHOWN = ['www-authenticate'];

/** Sends what is no token and looks at how it is refused. */
export async function examineFalseTokens(examination: Examination, gate: Gate): Promise<void> {
  const token = Buffer.from(examination.random(30)).toString('base64url');
  const answer = await present(examination, gate, `Bearer ${token}`);
  if (!answer) return;
  if (answer.text.includes(token) || header(answer, 'www-authenticate')?.includes(token))
    examination.find('token-echoed', {
      message: 'The refusal repeats the token that was sent.',
      evidence: answer,
    });
  checkRefusal(examination, gate, answer);
  await checkSchemeCase(examination, gate, token, answer);
  await sendOddHeaders(examination, gate);
}

/** How a server looks that fell over a request; a name that suddenly leads elsewhere is not its fault. */
const FALLEN: readonly FailureReason[] = ['connection', 'timeout', 'protocol'];

/** Sends an Authorization header; undefined when it was accepted or broke the server, which is then a finding. */
export async function present(
  examination: Examination,
  gate: Gate,
  authorization: string,
  accepted:
    | 'invalid-token-accepted'
    | 'forged-token-accepted'
    | 'unsigned-token-accepted'
    | 'hmac-token-accepted' = 'invalid-token-accepted',
): Promise<Answer | undefined> {
  if (!gate.probe) return undefined;
  const answer = await examination.send(gate.probe({ authorization }));
  const kind = authorization.slice(0, 24);
  if (answer.kind === 'failed' && !FALLEN.includes(answer.reason)) return undefined;
  if (answer.kind === 'failed') {
    examination.find('authorization-crash', {
      message: `A request with "Authorization: ${kind}…" is not answered: ${answer.detail}.`,
      evidence: answer,
    });
    return undefined;
  }
  if (
    isCarriedOut(answer) ||
    (answer.status === 200 && isEventStream(answer) && gate.endpoint.legacy)
  ) {
    examination.find(accepted, {
      message: `A request with "Authorization: ${kind}…" is carried out.`,
      evidence: answer,
    });
    return undefined;
  }
  // 503 is what a server should say when it cannot reach the issuer's keys.
  if (answer.status >= 500 && answer.status !== 503) {
    examination.find('authorization-crash', {
      message: `A request with "Authorization: ${kind}…" is answered with ${answer.status}.`,
      evidence: answer,
    });
    return undefined;
  }
  return answer;
}

/** RFC 6750 §3.1: 401 and invalid_token. Faults that a missing token showed already are not told again. */
function checkRefusal(examination: Examination, gate: Gate, answer: Answer): void {
  if (answer.status === 503 || answer.status === 429) {
    examination.note(
      'challenge',
      `A false token is answered with ${answer.status}; how bad tokens are refused could not be seen.`,
    );
    return;
  }
  if (answer.status !== 401) {
    if (gate.refusal?.status !== answer.status)
      examination.find('invalid-token-as-403', {
        message: `A false token is answered with ${answer.status} instead of 401.`,
        evidence: answer,
        headers: SHOWN,
      });
    return;
  }
  if (gate.refusal?.status !== 401 || !gate.challenge) return;
  if (errorOf(answer) !== 'invalid_token')
    examination.find('invalid-token-without-error', {
      message:
        errorOf(answer) === undefined
          ? 'A false token gets a challenge without error="invalid_token".'
          : `A false token gets a challenge with error="${errorOf(answer)}".`,
      evidence: answer,
      headers: SHOWN,
    });
}

export function errorOf(answer: Answer): string | undefined {
  const { challenges } = parseChallenges(header(answer, 'www-authenticate') ?? '');
  return tokenChallenge(challenges)?.parameters.get('error');
}

/** The same token under another spelling of the scheme is refused in the same way, or the header was not understood. */
async function checkSchemeCase(
  examination: Examination,
  gate: Gate,
  token: string,
  usual: Answer,
): Promise<void> {
  for (const scheme of ['bearer', 'BEARER']) {
    const other = await present(examination, gate, `${scheme} ${token}`);
    if (!other) return;
    if (
      other.status === usual.status &&
      errorOf(other) === errorOf(usual) &&
      sameWords(other, usual)
    )
      continue;
    examination.find('scheme-case-sensitive', {
      message: `"${scheme}" is answered differently from "Bearer".`,
      evidence: other,
      headers: SHOWN,
    });
    return;
  }
}

/** Bodies alike but for what changes with each answer, such as a request id. */
function sameWords(one: Answer, other: Answer): boolean {
  const words = (answer: Answer) => answer.text.replace(/[0-9a-f-]{8,}|\d+/gi, '');
  return words(one) === words(other);
}

const ODD = [
  'Bearer',
  'Bearer a.b.c',
  'Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA',
  'Bearer %00%ff',
  'Basic Z2F0ZXdhcmRlbjpkb2N0b3I=',
  `Bearer ${'x'.repeat(6000)}`,
];

async function sendOddHeaders(examination: Examination, gate: Gate): Promise<void> {
  for (const value of ODD) if (!(await present(examination, gate, value))) return;
}
