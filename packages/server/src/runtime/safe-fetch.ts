import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Agent, buildConnector, fetch, type Response } from 'undici';
import { addressKey, isLoopback, isPublicAddress } from './safe-fetch-address.ts';
import { fetchUrlProblem, isLoopbackUrl } from './safe-fetch-url.ts';

/** Limits of one fetch of somebody else's URL. Each has a caller's reason, so none has a default. */
export type FetchLimits = {
  /** Connect and read together, in milliseconds. */
  readonly timeoutMs: number;
  /** Of the body as decoded, in bytes. */
  readonly maxBytes: number;
  /** Accepted media types, compared without parameters; `+json` accepts any structured suffix. */
  readonly accept: readonly string[];
  /** Sends this with POST instead of asking with GET. */
  readonly post?:
    | {
        readonly contentType: string;
        readonly body: string;
        readonly headers: Readonly<Record<string, string>>;
      }
    | undefined;
  /**
   * Takes every status and media type for an answer, redirects too, which are not followed; what exceeds `maxBytes` is left
   * out, and what did not arrive in time. @default only 200 with an accepted media type
   */
  readonly anyAnswer?: boolean | undefined;
  /** As in `UrlRules`: where these are, also in the own network, is not looked at. @default none */
  readonly trustedHosts?: readonly string[] | undefined;
};

export type FetchOutcome =
  | {
      readonly kind: 'fetched';
      readonly status: number;
      readonly contentType: string;
      readonly cacheControl: string;
      readonly body: Uint8Array;
    }
  /** The reason goes to the timeline, and to people only in development (AS-79). */
  | { readonly kind: 'failed'; readonly reason: FetchFailure; readonly detail: string };

export type FetchFailure =
  | 'bad-url'
  | 'name'
  | 'blocked-address'
  | 'connection'
  | 'tls'
  | 'timeout'
  | 'too-large'
  | 'redirect'
  | 'status'
  | 'content-type';

/** GET, or POST, of a URL that a stranger gave us (AS-72, AS-73): checked address, no redirects, no cookies, bounded. Never throws. */
export type SafeFetch = (url: string, limits: FetchLimits) => Promise<FetchOutcome>;

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export type SafeFetchOptions = {
  /** http and https on localhost, 127.0.0.1 and [::1], any port. Development only, never production. */
  readonly allowLoopback: boolean;
  /** Our own hosts as in URLs (`auth.example.com`, `localhost:8080`): never fetched, we would be talking to ourselves. */
  readonly ownHosts: () => readonly string[];
  /** @default the system's resolver */
  readonly resolve?: Resolve | undefined;
  /** Addresses of this machine. @default those of its network interfaces */
  readonly ownAddresses?: (() => readonly string[]) | undefined;
};

const USER_AGENT = 'Gatewarden/0.1 (OAuth client metadata)';
const SENDER = 'Gatewarden/0.1 (webhooks)';
const MAX_HEADERS = 16_384;
const MOST_ADDRESSES_TRIED = 3;
const TLS_FAILURE = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/;

/** A refusal of ours on the way to the socket, carried through undici as the cause of its error. */
class Refused extends Error {
  readonly reason: FetchFailure;
  constructor(reason: FetchFailure, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/**
 * The only way out to addresses that strangers name. The name is resolved once, every address of the answer is checked, and
 * the connection goes to a checked address, so a resolver that changes its mind has no second chance. Proxies of the
 * environment are not used: a proxy would choose the address.
 */
export function createSafeFetch(options: SafeFetchOptions): SafeFetch {
  return async (url, limits) => {
    const { trustedHosts } = limits;
    const problem = fetchUrlProblem(url, { ...options, trustedHosts });
    if (problem !== undefined) return failed('bad-url', problem);
    const target = new URL(url);
    if (isOwn(target, options.ownHosts())) return failed('blocked-address', 'it is our own host');
    const trusted = trustedHosts?.includes(target.host) ?? false;
    const agent = new Agent({
      connect: checkedConnector({ ...options, trusted }, isLoopbackUrl(target), limits.timeoutMs),
      connections: 1,
      pipelining: 0,
      maxHeaderSize: MAX_HEADERS,
      headersTimeout: limits.timeoutMs,
      bodyTimeout: limits.timeoutMs,
    });
    const signal = AbortSignal.timeout(limits.timeoutMs);
    try {
      const { post } = limits;
      const response = await fetch(url, {
        dispatcher: agent,
        redirect: 'manual',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        signal,
        headers: {
          accept: limits.accept.filter((type) => !type.startsWith('+')).join(', '),
          'accept-encoding': 'identity',
          'user-agent': post ? SENDER : USER_AGENT,
          ...(post && { ...post.headers, 'content-type': post.contentType }),
        },
        ...(post && { method: 'POST', body: post.body }),
      });
      return limits.anyAnswer
        ? await readAnything(response, limits)
        : await readResponse(response, limits);
    } catch (error) {
      return signal.aborted
        ? failed('timeout', `no answer within ${limits.timeoutMs} ms`)
        : failureFrom(error);
    } finally {
      agent.destroy().catch(() => undefined);
    }
  };
}

/**
 * Where to dial a host that somebody named, for other protocols than HTTP: checked as for a fetch, and an address, so that
 * nothing is left to look up. In development, loopback by its usual names.
 *
 * @returns the reason when the host must not be dialled, or is nowhere
 */
export async function addressOfHost(
  host: string,
  options: Pick<SafeFetchOptions, 'allowLoopback' | 'resolve' | 'ownAddresses'>,
): Promise<{ readonly address: string } | { readonly refused: FetchFailure }> {
  const loopback = ['localhost', '127.0.0.1', '::1'].includes(host);
  try {
    const checks = { ...options, ownHosts: () => [] };
    const [address] = await checkedAddresses(host, checks, loopback);
    return address === undefined ? { refused: 'name' } : { address };
  } catch (error) {
    if (error instanceof Refused) return { refused: error.reason };
    throw error;
  }
}

/** Our own host by name, whatever the port; on this machine by port, whatever the name. */
function isOwn(target: URL, ownHosts: readonly string[]): boolean {
  return ownHosts.some((host) => {
    const own = new URL(`${target.protocol}//${host}`);
    if (isLoopbackUrl(target)) return isLoopbackUrl(own) && own.port === target.port;
    return own.hostname === target.hostname;
  });
}

async function readResponse(response: Response, limits: FetchLimits): Promise<FetchOutcome> {
  const { status } = response;
  if (status >= 300 && status < 400)
    return failed('redirect', `it answers with a redirect (${status})`);
  if (status !== 200) return failed('status', `it answers with status ${status}`);
  const contentType =
    (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!isAccepted(contentType, limits.accept))
    return failed('content-type', `its media type is ${printable(contentType) || 'missing'}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  // What counts is the size after decoding: a small answer may unpack to anything.
  for await (const chunk of response.body ?? []) {
    if (!(chunk instanceof Uint8Array)) return failed('connection', 'the answer cannot be read');
    size += chunk.length;
    if (size > limits.maxBytes)
      return failed('too-large', `it is larger than ${limits.maxBytes} bytes`);
    chunks.push(chunk);
  }
  const body = new Uint8Array(Buffer.concat(chunks));
  return {
    kind: 'fetched',
    status,
    contentType,
    cacheControl: response.headers.get('cache-control') ?? '',
    body,
  };
}

/** The beginning of whatever was answered; a receiver that cannot end its answer has answered all the same. */
async function readAnything(response: Response, { maxBytes }: FetchLimits): Promise<FetchOutcome> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      if (!(chunk instanceof Uint8Array)) break;
      chunks.push(chunk);
      size += chunk.length;
      if (size >= maxBytes) break;
    }
  } catch {
    // What is there is the answer.
  }
  return {
    kind: 'fetched',
    status: response.status,
    contentType: response.headers.get('content-type') ?? '',
    cacheControl: '',
    body: new Uint8Array(Buffer.concat(chunks).subarray(0, maxBytes)),
  };
}

function isAccepted(type: string, accept: readonly string[]): boolean {
  return accept.some((accepted) =>
    accepted.startsWith('+')
      ? /^[a-z]+\/[\w.-]+\+/.test(type) && type.endsWith(accepted)
      : type === accepted,
  );
}

type Connector = buildConnector.connector;
/** @property trusted the operator vouches for the host */
type Checks = SafeFetchOptions & { readonly trusted?: boolean };

/** Resolves, checks and dials. `base` gets an address and never a name, so it has nothing left to look up. */
function checkedConnector(options: Checks, loopback: boolean, timeoutMs: number): Connector {
  const base = buildConnector({
    timeout: timeoutMs,
    maxCachedSessions: 0,
    rejectUnauthorized: true,
  });
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    checkedAddresses(host, options, loopback).then(
      (addresses) =>
        dial(base, { ...target, servername: isIP(host) ? '' : host }, addresses, callback),
      (error: unknown) =>
        callback(error instanceof Error ? error : new Error('not resolved'), null),
    );
  };
}

/** The addresses of a name, if every one of them may be dialled. One bad address condemns the name: the next answer may hold only that. */
async function checkedAddresses(
  host: string,
  options: Checks,
  loopback: boolean,
): Promise<readonly string[]> {
  const addresses = isIP(host) ? [host] : await resolved(host, options.resolve ?? systemResolve);
  if (options.trusted) return addresses;
  const own = new Set((options.ownAddresses ?? interfaceAddresses)().map(addressKey));
  for (const address of addresses) {
    const fine = loopback
      ? options.allowLoopback && isLoopback(address)
      : isPublicAddress(address) && !own.has(addressKey(address));
    if (!fine)
      throw new Refused(
        'blocked-address',
        `${host} leads to ${printable(address)}, which is not a public address`,
      );
  }
  return addresses;
}

async function resolved(host: string, resolve: Resolve): Promise<readonly string[]> {
  let addresses: readonly string[];
  try {
    addresses = await resolve(host);
  } catch {
    addresses = [];
  }
  if (addresses.length === 0) throw new Refused('name', `${host} has no address`);
  return addresses;
}

function dial(
  base: Connector,
  target: buildConnector.Options,
  addresses: readonly string[],
  callback: buildConnector.Callback,
): void {
  const attempt = (index: number): void => {
    const address = addresses[index];
    if (address === undefined) {
      callback(new Refused('connection', 'no address'), null);
      return;
    }
    base({ ...target, hostname: address }, (error, socket) => {
      if (error === null) callback(null, socket);
      // Somebody answered there, and is not who he should be: that is the result.
      else if (
        !TLS_FAILURE.test(codeOf(error)) &&
        index + 1 < Math.min(addresses.length, MOST_ADDRESSES_TRIED)
      )
        attempt(index + 1);
      else callback(error, null);
    });
  };
  attempt(0);
}

/**
 * Asks the name servers directly. The system's own lookup would take a thread of the pool that also signs tokens, and a
 * stranger's name server can take its time; names that only this machine knows are not public anyway.
 */
async function systemResolve(hostname: string): Promise<readonly string[]> {
  if (hostname === 'localhost') return ['127.0.0.1', '::1'];
  const resolver = new Resolver({ timeout: 1500, tries: 2 });
  const answers = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

function interfaceAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map((entry) => entry.address.replace(/%.*$/, '')),
  );
}

function failureFrom(error: unknown): FetchOutcome {
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 5;
    cause = cause.cause, depth += 1
  ) {
    if (cause instanceof Refused) return failed(cause.reason, cause.message);
    const code = codeOf(cause);
    if (/TIMEOUT|ETIMEDOUT/.test(code)) return failed('timeout', 'no answer in time');
    if (TLS_FAILURE.test(code)) return failed('tls', `TLS failed (${code})`);
    if (code !== '') return failed('connection', `the connection failed (${code})`);
  }
  return failed('connection', 'the connection failed');
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function failed(reason: FetchFailure, detail: string): FetchOutcome {
  return { kind: 'failed', reason, detail };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 100);
}
