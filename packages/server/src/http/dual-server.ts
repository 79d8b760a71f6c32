import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';

export type DualServerOptions = {
  /** PEM certificate chain and private key. With them the port speaks TLS, and ALPN chooses the protocol. */
  tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Largest header block of one request, in bytes. @default 32768 */
  maxHeaderSize?: number | undefined;
  /** A connection that has not yet said which protocol it speaks is dropped after this time, in milliseconds. @default 10000 */
  sniffTimeout?: number | undefined;
  /** Time to send all headers of a request, in milliseconds. @default 20000 */
  headersTimeout?: number | undefined;
  /** Time to send a whole request, body included, in milliseconds. @default 30000 */
  requestTimeout?: number | undefined;
  /** How long an idle HTTP/1.1 connection is kept, in milliseconds. @default 65000 */
  keepAliveTimeout?: number | undefined;
  /** How long an HTTP/2 session without an open stream is kept, in milliseconds. @default 120000 */
  sessionTimeout?: number | undefined;
  /** How often the two request time-outs are looked at, in milliseconds. @default 2000 */
  checkInterval?: number | undefined;
  /** How long `close()` waits for requests in flight before it cuts them off, in milliseconds. @default 10000 */
  closeTimeout?: number | undefined;
  /** Connections beyond this number are refused. @default 20000 */
  maxConnections?: number | undefined;
};

/** The listening socket, with the two calls Fastify makes on an `http.Server` beside `close`. */
export type DualServer = net.Server & {
  closeIdleConnections(): void;
  closeAllConnections(): void;
};

export type RequestHandler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

type Parts = {
  readonly listener: net.Server;
  readonly h1: http.Server;
  readonly h2: http2.Http2Server;
  /** Each accepted socket, whatever became of it; the only list that also knows half-open handshakes. */
  readonly sockets: Set<net.Socket>;
  /** Sockets whose protocol is not known yet. */
  readonly undecided: Set<net.Socket>;
  readonly sessions: Set<http2.ServerHttp2Session>;
};

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * HTTP/1.1 and HTTP/2 on one port. On plain TCP the first bytes decide (RFC 9113 §3.4: a client with prior knowledge
 * begins with `PRI `), under TLS the ALPN protocol does. One handler serves both.
 *
 * `close()` refuses new connections at once, lets requests in flight finish, and after `closeTimeout` cuts off what is left:
 * one half-sent request would otherwise hold the process for ever.
 */
export function createDualServer(
  handler: RequestHandler,
  options: DualServerOptions = {},
): DualServer {
  const h1 = createHttp1(handler, options);
  const h2 = createHttp2(handler, options);
  const parts: Parts = {
    listener: createListener(options),
    h1,
    h2,
    sockets: new Set(),
    undecided: new Set(),
    sessions: new Set(),
  };
  const { listener } = parts;
  listener.maxConnections = options.maxConnections ?? 20_000;
  listener.on('connection', (socket: net.Socket) => {
    parts.sockets.add(socket);
    socket.once('close', () => parts.sockets.delete(socket));
  });
  if (options.tls) {
    listener.on('secureConnection', (socket: tls.TLSSocket) => {
      (socket.alpnProtocol === 'h2' ? h2 : h1).emit('connection', socket);
    });
    listener.on('tlsClientError', (_error: Error, socket: tls.TLSSocket) => socket.destroy());
  } else {
    listener.on('connection', (socket: net.Socket) => sniff(parts, socket, options));
  }
  // A server that never listens does not check its header and request time-outs: this event arms the check.
  listener.on('listening', () => h1.emit('listening'));
  listener.on('close', () => h1.close());
  limitSessions(parts, options);
  return withClose(parts, options);
}

function createListener(options: DualServerOptions): net.Server {
  if (!options.tls) return net.createServer({ noDelay: true });
  return tls.createServer({
    cert: options.tls.cert,
    key: options.tls.key,
    noDelay: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: options.sniffTimeout ?? 10_000,
  });
}

function createHttp1(handler: RequestHandler, options: DualServerOptions): http.Server {
  const server = http.createServer(
    {
      maxHeaderSize: options.maxHeaderSize ?? 32_768,
      keepAliveTimeout: options.keepAliveTimeout ?? 65_000,
      headersTimeout: options.headersTimeout ?? 20_000,
      requestTimeout: options.requestTimeout ?? 30_000,
      connectionsCheckingInterval: options.checkInterval ?? 2_000,
    },
    handler,
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
    refuse(error.code, socket),
  );
  return server;
}

/** Answers what the parser could not read. The socket is in an unknown state, so it is closed with the answer. */
function refuse(code: string | undefined, socket: Duplex): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  const body = JSON.stringify({
    error: 'invalid_request',
    error_description: `${status.slice(4)}: this is not a complete HTTP request we can read`,
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function createHttp2(handler: RequestHandler, options: DualServerOptions): http2.Http2Server {
  const server = http2.createServer({
    maxSessionMemory: 10,
    settings: { maxHeaderListSize: options.maxHeaderSize ?? 32_768, maxConcurrentStreams: 100 },
  });
  server.on('request', (request, response) => {
    // An answer can be complete before the body is: without a reset the peer would wait to send the rest (RFC 9113 §8.1).
    // Node.js says that the answer is complete only by asking for trailers.
    response.stream.once('wantTrailers', () => {
      setImmediate(() => {
        if (!request.readableEnded) request.stream.close(http2.constants.NGHTTP2_NO_ERROR);
      });
    });
    // The compatibility request and response have the members of their HTTP/1.1 namesakes; the types only differ by name.
    handler(request as unknown as http.IncomingMessage, response as unknown as http.ServerResponse);
  });
  const requestTimeout = options.requestTimeout ?? 30_000;
  server.on('stream', (stream, _headers, flags) => {
    // HTTP/2 has no counterpart of requestTimeout: a body sent byte by byte would hold its stream for ever. A request without a
    // body is complete, but nothing ends for it here until somebody reads: it gets time for an answer that waits (long polls).
    const complete = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const limit = complete ? requestTimeout * 2 : requestTimeout;
    const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), limit);
    const stop = (): void => clearTimeout(timer);
    stream.once('end', stop);
    stream.once('close', stop);
    stream.once('aborted', stop);
  });
  return server;
}

/** Reads until the protocol is known, then hands the socket over with all its bytes. */
function sniff(parts: Parts, socket: net.Socket, options: DualServerOptions): void {
  // Bytes are kept here and put back once, at hand-over: unshift-and-wait would fire 'readable' for ever.
  let held: Buffer | undefined;
  const drop = (): void => {
    socket.destroy();
  };
  const release = (): void => {
    parts.undecided.delete(socket);
    socket.setTimeout(0);
    socket.removeListener('readable', onReadable);
    for (const event of ['timeout', 'error', 'end']) socket.removeListener(event, drop);
    socket.removeListener('close', release);
  };
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (!chunk) return;
    const seen = held ? Buffer.concat([held, chunk]) : chunk;
    const length = Math.min(seen.length, PREFACE.length);
    const isHttp2 = seen.compare(PREFACE, 0, length, 0, length) === 0;
    if (isHttp2 && seen.length < 4) {
      held = seen; // 'P' and 'PR' may still become POST, PUT, PATCH or PROPFIND
      return;
    }
    release();
    socket.unshift(seen);
    (isHttp2 ? parts.h2 : parts.h1).emit('connection', socket);
  };
  parts.undecided.add(socket);
  socket.setTimeout(options.sniffTimeout ?? 10_000);
  for (const event of ['timeout', 'error', 'end']) socket.on(event, drop);
  socket.once('close', release);
  socket.on('readable', onReadable);
}

/** Ends sessions that hold a connection without using it, pings or not. */
function limitSessions(parts: Parts, options: DualServerOptions): void {
  const limit = options.sessionTimeout ?? 120_000;
  parts.h2.on('session', (session) => {
    parts.sessions.add(session);
    let open = 0;
    let timer = setTimeout(() => session.close(), options.headersTimeout ?? 20_000);
    session.on('stream', (stream) => {
      open += 1;
      clearTimeout(timer);
      stream.once('close', () => {
        open -= 1;
        if (open === 0 && !session.closed) timer = setTimeout(() => session.close(), limit);
      });
    });
    session.on('error', () => session.destroy());
    session.once('close', () => {
      clearTimeout(timer);
      parts.sessions.delete(session);
    });
  });
}

function withClose(parts: Parts, options: DualServerOptions): DualServer {
  const { listener, h1, sessions, sockets, undecided } = parts;
  const closeListener = listener.close.bind(listener);
  const closeIdleConnections = (): void => {
    h1.closeIdleConnections();
    for (const session of sessions) session.close(); // GOAWAY; streams in flight finish
  };
  const closeAllConnections = (): void => {
    for (const session of sessions) session.destroy();
    h1.closeAllConnections();
    for (const socket of sockets) socket.destroy();
  };
  let closing = false;
  const close = (callback?: (error?: Error) => void): DualServer => {
    closeListener(callback);
    if (closing) return server;
    closing = true;
    for (const socket of undecided) socket.destroy();
    closeIdleConnections();
    // Node does not close a kept-alive connection that becomes idle after close().
    const sweep = setInterval(closeIdleConnections, 50);
    const cut = setTimeout(closeAllConnections, options.closeTimeout ?? 10_000);
    listener.once('close', () => {
      clearInterval(sweep);
      clearTimeout(cut);
    });
    return server;
  };
  const server: DualServer = Object.assign(listener, {
    close,
    closeIdleConnections,
    closeAllConnections,
  });
  return server;
}
