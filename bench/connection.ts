import { connect } from 'node:net';

/** An answer's status and body. */
export type Answer = { readonly status: number; readonly body: string };
export type Connection = {
  /** One request after the other; the next may be sent when the answer is there. */
  send(request: string): Promise<Answer>;
  close(): void;
};

const HEAD_END = '\r\n\r\n';

/**
 * One kept-alive HTTP/1.1 connection to a server on this machine that writes requests as they are given. It does next to
 * nothing, because the processor time of whoever asks is missing to whoever answers when both share two cores.
 */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((done, fail) => {
    socket.once('connect', done);
    socket.once('error', fail);
  });
  let received = Buffer.alloc(0);
  let waiting: { done: (answer: Answer) => void; fail: (error: Error) => void } | undefined;
  const end = (error: Error): void => {
    waiting?.fail(error);
    waiting = undefined;
  };
  socket.on('error', end);
  socket.on('close', () => end(new Error('the server closed the connection')));
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    try {
      const answer = readAnswer(received);
      if (!answer) return;
      received = Buffer.alloc(0);
      waiting?.done(answer);
      waiting = undefined;
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  });
  return {
    send: (request) =>
      new Promise<Answer>((done, fail) => {
        waiting = { done, fail };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

/**
 * A whole answer, or undefined while a part is missing.
 *
 * @throws {Error} its length is not said, which no measured server does
 */
export function readAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(head)?.[1];
  if (length === undefined)
    throw new Error(`an answer does not say its length: ${head.slice(0, 200)}`);
  const bodyStart = headEnd + HEAD_END.length;
  if (bytes.length < bodyStart + Number(length)) return undefined;
  return { status: Number(head.slice(9, 12)), body: bytes.toString('utf8', bodyStart) };
}
