import type { McpAuth } from './auth.ts';

/** What came of reading a request's body. */
export type BodyRead =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Another parser was first; its value is what the handlers will see, so it is what is checked. */
  | { readonly kind: 'parsed'; readonly value: unknown }
  | { readonly kind: 'too_large' }
  | { readonly kind: 'unreadable' };

/** A request, described without any framework. Adapters make one; nothing here reads a socket. */
export type GuardRequest = {
  readonly method: string;
  /** The request target as received, before decoding: path and query (RFC 9112 §3.2.1). */
  readonly target: string;
  /** Every value received under a lower-case header name, in order; repeated fields stay apart where the platform can tell. */
  readonly header: (name: string) => readonly string[];
  /** Whether a body comes with the request, as its framing says (RFC 9112 §6.3); nothing needs to be read for it. */
  readonly hasBody: boolean;
  /** Called at most once, and only after the token was accepted. */
  readonly body: (limitBytes: number) => Promise<BodyRead>;
  /** Address of this end of the connection, where the platform knows it. */
  readonly localAddress: string | undefined;
};

export type Headers = Readonly<Record<string, string>>;

/** Answer this and do nothing else. `body` is absent for 204 and must not be sent in reply to HEAD. */
export type Respond = {
  readonly kind: 'respond';
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | undefined;
  /** Whose request was refused, where the token was accepted and something else was not; for logs. */
  readonly caller?: Caller;
};

export type Caller = {
  readonly subject: string;
  readonly clientId: string;
  readonly organizationId: string | undefined;
};

/** The head of a response, before it is sent. */
export type ResponseHead = {
  readonly status: number;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
};

export type BodyRewriter =
  /** Chunk by chunk; what `push` returns is sent at once. */
  | {
      readonly kind: 'stream';
      readonly push: (chunk: Uint8Array) => Uint8Array;
      readonly flush: () => Uint8Array;
    }
  /** In one piece: head and body wait for the end. `finish` gets `undefined` for a body above the limit. */
  | {
      readonly kind: 'whole';
      readonly limitBytes: number;
      readonly finish: (body: Uint8Array | undefined) => Uint8Array | Respond;
    };

/** What a head says about a body that is not the one that will be sent. */
export const bodyFields: readonly string[] = [
  'content-length',
  'etag',
  'content-md5',
  'digest',
  'content-digest',
  'last-modified',
];

/** What is left to do while a request that was let through is answered. */
export type ResponseDuties = {
  /** Call once, when status and headers of the response are known, before they are sent. */
  readonly started: (head: ResponseHead) => void;
  /**
   * Call when answering begins: it calls `end` when a response that is still open must be ended. What it
   * returns is called when the response is over. undefined: nothing ends it.
   */
  readonly untilOver: ((end: () => void) => () => void) | undefined;
  /** Asked once the head is known. A body that is rewritten loses its length and its validators. undefined: pass through unbuffered. */
  readonly rewrite: ((head: ResponseHead) => BodyRewriter | undefined) | undefined;
};

export type Decision =
  | Respond
  /** A path that was declared public: pass on, without a caller. */
  | { readonly kind: 'public' }
  /** Pass on with this caller, this body (POST only), these headers added to the response and these duties. */
  | {
      readonly kind: 'allow';
      readonly auth: McpAuth;
      readonly body: unknown;
      readonly bytes: Uint8Array | undefined;
      readonly headers: Headers;
      readonly response: ResponseDuties;
    };
