import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { GuardEvent } from '@gatewarden/resource-server';
import { type AccessEntry, accessEntry, newRecord, type RequestRecord } from './access-log.ts';
import { answerFailure, internal } from './answers.ts';
import { exchange, type Passage } from './exchange.ts';
import { elapsedMs, newRequestId } from './runtime/machine.ts';
import type { ToolGuard } from './tool-guard.ts';

type Handling = {
  readonly guard: ToolGuard;
  readonly passage: Passage;
  readonly now: () => Date;
  readonly log: (event: GuardEvent) => void;
  readonly accessLog: ((entry: AccessEntry) => void) | undefined;
};

/** Handles every request of the public port: one exchange, one line in the access log, one count. */
export function requestListener(handling: Handling): RequestListener {
  const { guard, passage } = handling;
  const inTurn = oneAtATime();
  return (request, response) => {
    const record = newRecord(newRequestId(), handling.now(), elapsedMs());
    response.setHeader('x-request-id', record.id);
    response.once('close', () => finished(handling, request, response, record));
    guard.noting(record, () => {
      const handled = inTurn(request.socket, response, () =>
        exchange(passage, guard, request, response, record),
      );
      handled.catch((error: unknown) => {
        record.outcome = 'failed';
        record.reason = internal.error;
        // A stack would be more, and could quote what a caller sent.
        const name = error instanceof Error ? error.name : 'unknown';
        handling.log({
          level: 'warn',
          event: 'proxy_failed',
          message: `request ${record.id} failed in the proxy itself: ${name}`,
        });
        answerFailure(response, internal, undefined);
      });
    });
  };
}

/**
 * Lets the requests of one connection wait for each other (RFC 9112 §9.3.2): otherwise one client could send
 * any number at once, and take every connection to the upstream.
 */
function oneAtATime(): (
  socket: Socket,
  response: ServerResponse,
  run: () => Promise<void>,
) => Promise<void> {
  const last = new WeakMap<Socket, Promise<unknown>>();
  return async (socket, response, run) => {
    const before = last.get(socket);
    last.set(socket, new Promise((resolve) => response.once('close', resolve)));
    await before;
    if (!response.destroyed) await run();
  };
}

function finished(
  { passage, accessLog }: Handling,
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
): void {
  const status = response.headersSent ? response.statusCode : 0;
  if (!response.writableFinished && record.outcome !== 'failed') record.outcome = 'left';
  passage.metrics.finished(record.outcome, status);
  accessLog?.(
    accessEntry(record, {
      method: request.method ?? '',
      status,
      durationMs: elapsedMs() - record.startedMs,
    }),
  );
}
