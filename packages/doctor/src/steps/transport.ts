import type { Examination } from '../examination.ts';
import { header } from '../http.ts';
import type { Gate } from './challenge.ts';
import { checkCredentials, FOREIGN_ORIGIN } from './cors.ts';

/** Whether web pages of others can send requests (DNS rebinding). */
export async function examineTransport(examination: Examination, gate: Gate): Promise<void> {
  examination.begin('transport');
  // Where everything is refused with 403 the reason of a refusal cannot be told.
  if (!gate.probe || gate.refusal?.status === 403) return;
  const answer = await examination.send(gate.probe({ origin: FOREIGN_ORIGIN }));
  if (answer.kind === 'failed') return;
  checkCredentials(examination, answer, FOREIGN_ORIGIN);
  if (answer.status === 403 || answer.status === 400) return;
  if (header(answer, 'access-control-allow-origin') === '*') {
    examination.note(
      'transport',
      'Web pages of every origin may call this server (Access-Control-Allow-Origin: *); the token alone protects it.',
    );
    return;
  }
  examination.find('origin-unchecked', {
    message: `A request with Origin: ${FOREIGN_ORIGIN} is answered with ${answer.status}, as if it came from anywhere.`,
    evidence: answer,
    headers: ['access-control-allow-origin'],
  });
}
