import { type DescMethod, type DescService, getOption } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createTransport } from '@connectrpc/connect/protocol-connect';
import { http } from '@gatewarden/contract/google/api/annotations_pb';
import { API_VERSION, SDK_VERSION } from './api-version.ts';
import type { ClientToken } from './client-token.ts';
import { fetchClient } from './http-client.ts';
import type { Outside } from './runtime/outside.ts';
import { platformName } from './runtime/platform.ts';
import { ScalekitServerException } from './server-errors.ts';

/** The last argument of every method. */
export type CallOptions = {
  /** Ends the call with `ScalekitCancelledException`. What the server did until then stays done. */
  readonly signal?: AbortSignal;
  /** Milliseconds for each attempt. @default timeoutMs of the client */
  readonly timeoutMs?: number;
};

/** Makes clients of the contract's services, with the token and the repetition of this package. */
export type Calls = <S extends DescService>(service: S) => Client<S>;

export type CallSettings = {
  readonly environmentUrl: string;
  readonly timeoutMs: number;
  /** How often a call that found the server unavailable is repeated. */
  readonly retries: number;
  /** Milliseconds before the first repetition; each further one waits twice as long. */
  readonly firstWaitMs: number;
  readonly token: ClientToken;
  readonly outside: Outside;
};

const longestWaitMs = 30_000;
const sizeLimit = 16_777_216;

/** Calls over the Connect protocol, HTTP/1.1 or whatever `fetch` speaks. */
export function createCalls(settings: CallSettings): Calls {
  const wire = createTransport({
    baseUrl: settings.environmentUrl,
    httpClient: fetchClient(settings.outside.fetch),
    useBinaryFormat: true,
    defaultTimeoutMs: settings.timeoutMs,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0,
    readMaxBytes: sizeLimit,
    writeMaxBytes: sizeLimit,
  });
  const transport = dependable(wire, settings);
  return (service) => createClient(service, transport);
}

/** Adds the token, renews it once when it is refused, and repeats what can be repeated while the server is unavailable. */
function dependable(wire: Transport, settings: CallSettings): Transport {
  const { token } = settings;
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const waited = repetitions(settings, signal);
      let renewed = false;
      for (;;) {
        let bearer: string;
        try {
          bearer = await within(signal, token.current);
        } catch (error) {
          // Nothing of the call itself was sent yet, so it does not matter which one it is.
          if (isUnavailable(error) && (await waited())) continue;
          throw signal?.aborted ? aborted() : error;
        }
        try {
          const headers = headersOf(header, bearer);
          return await wire.unary(method, signal, timeoutMs, headers, input, contextValues);
        } catch (caught) {
          const error = ConnectError.from(caught);
          if (error.code === Code.Unauthenticated && !renewed) {
            renewed = true;
            token.refused(bearer);
            continue;
          }
          if (error.code === Code.Unavailable && isRepeatable(method) && (await waited())) continue;
          throw signal?.aborted ? aborted() : ScalekitServerException.promote(error);
        }
      }
    },
    stream() {
      throw new Error('the contract has no streams');
    },
  };
}

/** Waits before the next attempt of one call, twice as long each time; false when there is none left. */
function repetitions(
  { retries, firstWaitMs, outside }: CallSettings,
  signal: AbortSignal | undefined,
): () => Promise<boolean> {
  let failures = 0;
  return async () => {
    if (failures >= retries || signal?.aborted) return false;
    const ceiling = Math.min(firstWaitMs * 2 ** failures, longestWaitMs);
    failures += 1;
    await outside.wait(ceiling * (0.5 + outside.random() / 2), signal);
    return !signal?.aborted;
  };
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ScalekitServerException && error.grpcStatus === Code.Unavailable;
}

function aborted(): ScalekitServerException {
  return ScalekitServerException.promote(new ConnectError('the call was aborted', Code.Canceled));
}

function headersOf(given: HeadersInit | undefined, bearer: string): Headers {
  const headers = new Headers(given);
  headers.set('authorization', `Bearer ${bearer}`);
  headers.set('user-agent', `${SDK_VERSION} ${platformName()}`.trim());
  headers.set('x-sdk-version', SDK_VERSION);
  headers.set('x-api-version', API_VERSION);
  return headers;
}

/** A renewal is everybody's: who no longer waits leaves it running for the others. */
async function within<T>(signal: AbortSignal | undefined, begin: () => Promise<T>): Promise<T> {
  if (!signal) return await begin();
  if (signal.aborted) throw aborted();
  let abort = (): void => undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    abort = () => reject(aborted());
  });
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([begin(), ended]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** POST methods that change nothing, or nothing further, when they are repeated. */
const REPEATABLE_POSTS: ReadonlySet<string> = new Set([
  'scalekit.v1.tokens.ApiTokenService.ValidateToken',
  'scalekit.v1.tokens.ApiTokenService.InvalidateToken',
  'scalekit.v1.users.UserService.AssignUserRoles',
  'scalekit.v1.roles.RolesService.AddPermissionsToRole',
]);

/**
 * Whether a call may be made again when it is not known what became of it: RFC 9110 §9.2.2 by its method over REST, and
 * PATCH, because those of the contract set values. A second invitation would be a second mail.
 */
function isRepeatable(method: DescMethod): boolean {
  const name = `${method.parent.typeName}.${method.name}`;
  if (REPEATABLE_POSTS.has(name)) return true;
  const rule = getOption(method, http).pattern.case;
  return rule !== undefined && rule !== 'post' && method.name !== 'ResendInvite';
}
