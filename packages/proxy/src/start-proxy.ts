import type { GuardEvent, ToolRules } from '@gatewarden/resource-server';
import type { Passage } from './exchange.ts';
import { fixedHeaders, forwardedNames } from './headers.ts';
import { identitySigner } from './identity.ts';
import { closeGently, closeNow, listen, publicServer } from './listening.ts';
import { type Managed, managementServer } from './management.ts';
import { proxyMetrics } from './metrics.ts';
import {
  isClearText,
  isLoopback,
  type Limits,
  limitsOf,
  type ProxyOptions,
  upstreamUrl,
} from './options.ts';
import { requestListener } from './request-listener.ts';
import { machineNow } from './runtime/machine.ts';
import { type Reloaded, toolGuard } from './tool-guard.ts';
import { readToolsFile } from './tools-file.ts';
import { connectUpstream } from './upstream.ts';

export type RunningProxy = {
  /** Public URL of the MCP endpoint. */
  readonly url: string;
  /** The port it listens at. */
  readonly port: number;
  /** Where health, metrics and the identity key set are. */
  readonly managementUrl: string | undefined;
  /** Reads the tool file again; a wrong one changes nothing. */
  reload(): Promise<Reloaded>;
  /** Stops listening, waits for requests and streams (10 s unless set), ends what is left. */
  close(): Promise<void>;
};

/**
 * Starts a reverse proxy that puts OAuth in front of one MCP server. Rejects when a port is taken.
 *
 * @throws {ConfigurationError} an option that cannot work; the message names it
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const settled = await settle(options);
  const server = publicServer(settled.limits);
  const port = await listen(server, options.port, options.host ?? '127.0.0.1');
  const closers: (() => Promise<void>)[] = [];
  try {
    const serverUrl = options.protect.serverUrl ?? `http://localhost:${port}/mcp`;
    const guard = toolGuard(options, { ...settled, serverUrl });
    closers.push(async () => guard.close());
    const passage = await openPassage(options, settled, serverUrl);
    closers.push(() => passage.upstream.close());
    warnAboutClearText(settled.log, settled.target, passage.endpoint);
    server.on('drop', () => passage.metrics.connectionRefused());
    // Nothing arrives before this line: requests are read in a later turn of the event loop.
    server.on('request', requestListener({ ...settled, guard, passage }));
    let stopping = false;
    const managementUrl = await startManagement(options, closers, {
      identity: passage.identity,
      upstream: settled.target,
      stopping: () => stopping,
      metrics: () => passage.metrics.text(guard),
      health: () => guard.health(),
    });
    let closed: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await closeGently(server, settled.limits.shutdownGraceMs);
      for (const closeOne of closers) await closeOne();
    };
    return {
      url: serverUrl,
      port,
      managementUrl,
      reload: () => guard.reload(),
      close() {
        stopping = true;
        closed ??= close();
        return closed;
      },
    };
  } catch (error) {
    await closeNow(server);
    for (const closeOne of closers) await closeOne();
    throw error;
  }
}

type Settled = {
  readonly limits: Limits;
  readonly target: URL;
  readonly forwarded: ReadonlySet<string>;
  readonly fixed: ReadonlyMap<string, string>;
  readonly rules: ToolRules | undefined;
  readonly now: () => Date;
  readonly log: (event: GuardEvent) => void;
  readonly accessLog: ProxyOptions['accessLog'];
};

/** Everything that can be wrong without a port. */
async function settle(options: ProxyOptions): Promise<Settled> {
  const log = harmless(options.log ?? warnOnConsole, () => undefined);
  return {
    limits: limitsOf(options),
    target: upstreamUrl(options.upstream),
    forwarded: forwardedNames(options.forwardHeaders ?? []),
    fixed: fixedHeaders(options.upstreamHeaders ?? []),
    rules: options.toolsFile === undefined ? undefined : await readToolsFile(options.toolsFile),
    now: options.now ?? machineNow,
    log,
    accessLog:
      options.accessLog &&
      harmless(options.accessLog, () =>
        log({
          level: 'warn',
          event: 'access_log_failed',
          message: 'the access log took a line with an error; what else it misses is not said',
        }),
      ),
  };
}

async function openPassage(
  options: ProxyOptions,
  { limits, target, forwarded, fixed, now }: Settled,
  serverUrl: string,
): Promise<Passage> {
  const endpoint = new URL(serverUrl);
  const identity =
    options.identity === 'signed'
      ? await identitySigner(options.identityKey, {
          issuer: serverUrl,
          audience: `${target.origin}${target.pathname}`,
          now,
        })
      : undefined;
  const bare = endpoint.pathname.replace(/\/$/, '');
  return {
    upstream: connectUpstream(target, limits),
    paths: new Set(bare === '' ? ['/'] : [bare, `${bare}/`]),
    endpoint,
    forwarded,
    fixed,
    identity,
    idleTimeoutMs: limits.idleTimeoutMs,
    metrics: proxyMetrics(),
  };
}

async function startManagement(
  options: ProxyOptions,
  closers: (() => Promise<void>)[],
  managed: Omit<Managed, 'loopback'>,
): Promise<string | undefined> {
  if (options.managementPort === undefined) return undefined;
  const host = options.managementHost ?? '127.0.0.1';
  const server = managementServer({ ...managed, loopback: isLoopback(host) });
  const port = await listen(server, options.managementPort, host);
  closers.push(() => closeNow(server));
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function warnAboutClearText(log: (event: GuardEvent) => void, target: URL, endpoint: URL): void {
  const warn = (message: string): void => log({ level: 'warn', event: 'clear_text', message });
  if (isClearText(target))
    warn(
      `the upstream ${target.origin} is reached without TLS: whoever can reach it needs no token, and whoever is on the way can read and change everything; use https or a network of its own`,
    );
  if (isClearText(endpoint))
    warn(
      `the public URL ${endpoint.origin} is http: access tokens would travel in clear text; put TLS in front and give its https URL`,
    );
}

/** A log that throws must neither change an answer nor end the process; `failed` hears of the first time. */
function harmless<T>(write: (entry: T) => void, failed: () => void): (entry: T) => void {
  let told = false;
  return (entry) => {
    try {
      write(entry);
    } catch {
      if (!told) failed();
      told = true;
    }
  };
}

function warnOnConsole(event: GuardEvent): void {
  if (event.level === 'warn') console.warn(`gatewarden: ${event.message}`);
}
