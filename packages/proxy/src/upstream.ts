import type { Readable } from 'node:stream';
import { errors, Pool } from 'undici';
import {
  brokenOff,
  type Failure,
  invalidAnswer,
  redirected,
  timedOut,
  unreachable,
  wantsCredentials,
} from './answers.ts';
import type { Limits } from './options.ts';
import { afterMs } from './runtime/wait.ts';

export type UpstreamRequest = {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** Gives the request up, and is given up itself when no answer has begun in time. */
  readonly abort: AbortController;
};

export type UpstreamAnswer = {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
};

export type UpstreamOutcome =
  | UpstreamAnswer
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The MCP server behind the proxy: one address, over connections that are kept. */
export type Upstream = {
  send(request: UpstreamRequest): Promise<UpstreamOutcome>;
  /** Ends all connections, used ones too. */
  close(): Promise<void>;
};

const longestConnectMs = 10_000;
const late = new Error('the upstream did not answer in time');
const largestHeadBytes = 65_536;

/** Opens nothing yet: connections are made when they are needed. */
export function connectUpstream(url: URL, limits: Limits): Upstream {
  const connectMs = Math.min(limits.upstreamTimeoutMs, longestConnectMs);
  const pool = new Pool(url.origin, {
    connect: { timeout: connectMs },
    headersTimeout: limits.upstreamTimeoutMs,
    bodyTimeout: limits.idleTimeoutMs,
    maxHeaderSize: largestHeadBytes,
    // An open stream occupies a connection, so their number is that of the clients' connections.
    connections: limits.maxConnections,
    pipelining: 1,
  });
  const path = `${url.pathname}${url.search}`;
  return {
    async send({ method, headers, body, abort }) {
      // The limit of the client begins anew with every byte and every interim response.
      const cancel = afterMs(connectMs + limits.upstreamTimeoutMs, () => abort.abort(late));
      try {
        const {
          statusCode,
          headers: received,
          body: stream,
        } = await pool.request({
          path,
          // The guard lets exactly these pass.
          method: method as 'GET' | 'HEAD' | 'POST' | 'DELETE',
          headers,
          body: body ?? null,
          signal: abort.signal,
        });
        // A body that is given up reports that as an error, also where nobody reads it any more.
        stream.on('error', () => undefined);
        const failure = refusedStatus(statusCode);
        if (!failure)
          return { kind: 'answer', status: statusCode, headers: received, body: stream };
        stream.destroy();
        return { kind: 'failed', failure };
      } catch (error) {
        return { kind: 'failed', failure: failureOf(error) };
      } finally {
        cancel();
      }
    },
    close: () => pool.destroy(),
  };
}

/** Statuses that would mean something else when they came from us. */
function refusedStatus(status: number): Failure | undefined {
  if (status === 401 || status === 407) return wantsCredentials;
  if (status >= 300 && status < 400) return redirected;
  return status < 200 || status > 599 ? invalidAnswer : undefined;
}

function failureOf(error: unknown): Failure {
  if (error === late) return timedOut;
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError)
    return timedOut;
  if (
    error instanceof errors.HTTPParserError ||
    error instanceof errors.HeadersOverflowError ||
    error instanceof errors.ResponseContentLengthMismatchError
  )
    return invalidAnswer;
  if (error instanceof errors.SocketError || wasReset(error)) return brokenOff;
  return unreachable;
}

function wasReset(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ECONNRESET' || error.code === 'EPIPE';
}
